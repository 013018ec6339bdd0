// Goal: whatever clients begin and do not end, a port holds a bounded amount of it, and goes on.
// Method: raw HTTP/2 clients that begin requests, a handler that does not read, and calls of a
// client that behaves.

import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { expect, onTestFinished, test } from "vitest";
import { NAME_SERVER_SERVICE, RpcChannel, RpcServer, type RpcServerOptions } from "../src/index.ts";

const MIB = 1024 * 1024;
const RESOURCE_EXHAUSTED = "8";

interface Port {
  readonly server: RpcServer;
  readonly channel: RpcChannel;
}

async function opened(options: Partial<RpcServerOptions>): Promise<Port> {
  const server = new RpcServer({
    listen: "127.0.0.1:0",
    onDefect: (error) => {
      throw error;
    },
    ...options,
  });
  server.handle(NAME_SERVER_SERVICE, {
    // Nobody reads what comes here.
    register: { duplex: () => undefined },
    watchCluster: { serverStream: () => undefined },
    getCluster: { unary: () => ({ clusterId: "here", groups: [] }) },
  });
  await server.open();
  onTestFinished(() => server.close(0));
  const channel = new RpcChannel({ address: `127.0.0.1:${server.port}` });
  onTestFinished(() => {
    channel.close();
  });
  return { server, channel };
}

async function sessionOf({ server }: Port): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${server.port}`);
  session.on("error", () => undefined);
  onTestFinished(() => {
    session.destroy();
  });
  await once(session, "remoteSettings");
  return session;
}

/** A call that has sent so much, and says no more. */
function begin(session: ClientHttp2Session, path: string, bytes: Buffer): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => undefined);
  stream.resume();
  stream.write(bytes);
  return stream;
}

/** The head of a message, and a part of it. */
function part(messageBytes: number, sentBytes: number): Buffer {
  const bytes = Buffer.alloc(5 + sentBytes);
  bytes.writeUInt32BE(messageBytes, 1);
  return bytes;
}

function isServed({ channel }: Port): Promise<boolean> {
  return channel.call(NAME_SERVER_SERVICE.getCluster, {}).then(
    () => true,
    () => false,
  );
}

test("requests that nobody ends are ended when they hold too much, largest first", async () => {
  const port = await opened({ unreadBytesMax: 8 * MIB });
  const { intake } = port.server;
  const sessions = await Promise.all([sessionOf(port), sessionOf(port)]);
  const small = begin(sessions[0], NAME_SERVER_SERVICE.getCluster.path, part(MIB, 1_000));
  await expect.poll(() => intake.unreadBytes()).toBe(1_005);

  const statuses: unknown[] = [];
  for (let i = 0; i < 20; i += 1) {
    const session = sessions[i % 2] ?? sessions[0];
    const large = begin(session, NAME_SERVER_SERVICE.getCluster.path, part(4 * MIB, MIB));
    large.on("response", (headers) => statuses.push(headers["grpc-status"]));
  }

  await expect.poll(() => statuses.length).toBeGreaterThanOrEqual(12);
  await expect.poll(() => intake.unreadBytes()).toBeLessThanOrEqual(8 * MIB);
  expect(new Set(statuses)).toEqual(new Set([RESOURCE_EXHAUSTED]));
  expect(intake.refusedCount).toBe(statuses.length);
  expect(small.closed).toBe(false);
  expect(await isServed(port)).toBe(true);
});

test("what nobody reads is held, too", async () => {
  const port = await opened({ unreadBytesMax: 4 * MIB });
  const session = await sessionOf(port);
  const path = NAME_SERVER_SERVICE.register.path;
  const streams = [1, 2, 3].map(() => begin(session, path, Buffer.alloc(3 * MIB)));
  const closed = streams.map((stream) => once(stream, "close"));

  // Each has a window of its own, which one look after the other takes back.
  await Promise.race(closed);
  await expect.poll(() => port.server.intake.unreadBytes()).toBeLessThanOrEqual(4 * MIB);
  expect(await isServed(port)).toBe(true);
});

test("a message that is whole is nothing held, however its bytes came", async () => {
  const port = await opened({});
  const session = await sessionOf(port);
  const stream = begin(session, NAME_SERVER_SERVICE.getCluster.path, Buffer.alloc(1));
  for (const byte of [0, 0, 0, 2, 10]) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    stream.write(Buffer.of(byte));
  }
  await expect.poll(() => port.server.intake.unreadBytes()).toBe(6);
  const answered = once(stream, "response");
  stream.end(Buffer.of(0));

  const [headers] = (await answered) as [{ ":status": number }];
  expect(headers[":status"]).toBe(200);
  await expect.poll(() => port.server.intake.streamCount).toBe(0);
  expect(port.server.intake.unreadBytes()).toBe(0);
});

test("of calls there are so many on a port, of all connections; one more is refused", async () => {
  const port = await opened({ streamCountMax: 2 });
  const sessions = await Promise.all([sessionOf(port), sessionOf(port)]);
  const held = sessions.map((session) =>
    begin(session, NAME_SERVER_SERVICE.register.path, Buffer.alloc(0)),
  );
  await expect.poll(() => port.server.intake.streamCount).toBe(2);

  const refusal = { code: "OVERLOADED", outcome: "not-applied", advice: "retry-here" };
  const call = port.channel.call(NAME_SERVER_SERVICE.getCluster, {});
  await expect(call).rejects.toMatchObject(refusal);
  expect(port.server.intake.refusedCount).toBe(1);

  held[0]?.close();
  await expect.poll(() => isServed(port)).toBe(true);
});
