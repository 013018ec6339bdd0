// Goal: the faults that other tests rely on are the ones that happen.
// Method: plain sockets through the proxy, to a server that echoes.

import { connect, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { parseAddress } from "../src/index.ts";
import { type LinkProxy, openLinkProxy } from "../src/testing/index.ts";
import { until } from "./kit/node.ts";

/** @param onData - What the server does with what comes. */
async function proxied(
  onData: (socket: Socket, chunk: Buffer) => void = (socket, chunk) => socket.write(chunk),
): Promise<LinkProxy> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      onData(socket, chunk);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as { port: number };
  const proxy = await openLinkProxy({ host: "127.0.0.1", port });
  onTestFinished(async () => {
    await proxy.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return proxy;
}

interface Client {
  readonly socket: Socket;
  bytes: number;
  end: string;
}

function dial(proxy: LinkProxy): Client {
  const socket = connect(parseAddress(proxy.address));
  onTestFinished(() => {
    socket.destroy();
  });
  const client: Client = { socket, bytes: 0, end: "" };
  socket.on("data", (chunk: Buffer) => {
    client.bytes += chunk.byteLength;
  });
  socket.on("end", () => (client.end ||= "end"));
  socket.on("error", (error: NodeJS.ErrnoException) => (client.end ||= error.code ?? ""));
  return client;
}

test("bytes pass both ways, and are counted; so does an end", async () => {
  const proxy = await proxied();
  const client = dial(proxy);
  client.socket.write(Buffer.alloc(1 << 20));
  await until("all came back", () => client.bytes === 1 << 20);
  client.socket.end();
  await until("the end came back", () => client.end === "end");

  expect(proxy.bytes).toEqual({ forward: 1 << 20, backward: 1 << 20 });
});

test("a cut resets, and refuses, until it is healed", async () => {
  const proxy = await proxied();
  const client = dial(proxy);
  client.socket.write("x");
  await until("it came back", () => client.bytes === 1);
  await proxy.cut();
  await until("it was reset", () => client.end === "ECONNRESET");
  const refused = dial(proxy);
  await until("it was refused", () => refused.end === "ECONNREFUSED");
  await proxy.heal();
  const again = dial(proxy);
  again.socket.write("xy");

  await until("it came back again", () => again.bytes === 2);
});

test("a stall lets nothing pass, not even an end; then all of it", async () => {
  const proxy = await proxied((socket) => socket.end("bye"));
  const before = dial(proxy);
  await until("it is there", () => proxy.connectionCount === 1);
  proxy.stall(["backward"]);
  before.socket.write("x");
  await until("it passed forward", () => proxy.bytes.forward === 1);
  proxy.stall();
  const during = dial(proxy);
  during.socket.write("y");
  await until("it is there", () => proxy.connectionCount === 2);
  expect([before.bytes, before.end, during.bytes, during.end]).toEqual([0, "", 0, ""]);
  await proxy.heal();
  await until("both ended", () => before.end === "end" && during.end === "end");

  expect([before.bytes, during.bytes]).toEqual([3, 3]);
});

test("a stall keeps FIN and RST, and says so; they pass when it ends", async () => {
  const servers: Socket[] = [];
  const ends: string[] = [];
  const proxy = await proxied((socket) => {
    servers.push(socket);
    socket.once("end", () => ends.push("FIN"));
    socket.once("error", () => ends.push("RST"));
  });
  const [closing, resetting] = [dial(proxy), dial(proxy)];
  for (const { socket } of [closing, resetting]) socket.write("x");
  await until("both are there", () => servers.length === 2);
  proxy.stall();
  closing.socket.end();
  resetting.socket.resetAndDestroy();
  await until("both ends were kept", () => proxy.ends.held === 2);
  const unanswered = dial(proxy);
  await until("it is not answered", () => proxy.unansweredCount === 1);
  expect([ends, unanswered.end, proxy.ends]).toEqual([[], "", { held: 2, passed: 0, leaked: 0 }]);
  proxy.resume();
  await until("both came", () => ends.length === 2);

  expect(ends.toSorted()).toEqual(["FIN", "RST"]);
  expect(proxy.ends).toMatchObject({ held: 2, leaked: 0 });
});

test("a proxy that refuses keeps its connections, and takes new ones once it listens", async () => {
  const proxy = await proxied();
  const before = dial(proxy);
  before.socket.write("x");
  await until("it came back", () => before.bytes === 1);
  proxy.refuse();
  const refused = dial(proxy);
  await until("it was refused", () => refused.end === "ECONNREFUSED");
  before.socket.write("y");
  await until("it came back, too", () => before.bytes === 2);
  await proxy.listen();
  const after = dial(proxy);
  after.socket.write("z");

  await until("the new one came back", () => after.bytes === 1);
});

test("a stall also stops what is on its way", async () => {
  const proxy = await proxied();
  proxy.slow(1 << 20, 100);
  const client = dial(proxy);
  client.socket.write("x");
  await until("it is on its way", () => proxy.heldBytes === 1);
  proxy.stall();
  const endMs = performance.now() + 150;
  await until("its time has come", () => performance.now() > endMs);
  expect([proxy.heldBytes, proxy.bytes.forward]).toEqual([1, 0]);
  await proxy.heal();

  await until("it came back", () => client.bytes === 1);
});

test("a slow link takes its time, and holds little", async () => {
  const proxy = await proxied(() => undefined);
  proxy.slow(4 << 20, 50);
  const client = dial(proxy);
  const startMs = performance.now();
  client.socket.write(Buffer.alloc(2 << 20));
  let heldMax = 0;
  await until("all passed", () => {
    heldMax = Math.max(heldMax, proxy.heldBytes);
    return proxy.bytes.forward === 2 << 20;
  });

  expect(performance.now() - startMs).toBeGreaterThan(500);
  expect(heldMax).toBeLessThanOrEqual(512 * 1024);
});
