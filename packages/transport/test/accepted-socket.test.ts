// Goal: an accepted connection is read into memory that is used again, on every version of Node
// where that can be done, and is read as well where it cannot.
// Method: a real server and clients; a socket whose connection cannot be found.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { type AcceptedSocket, readingOnItsOwn, readInto } from "../src/accepted-socket.ts";

const MEMORY = Buffer.alloc(1_000);
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A client and what its server made of it. */
async function accept(): Promise<{ client: Socket; accepted: AcceptedSocket; server: Server }> {
  const server = createServer({ pauseOnConnect: true });
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [socket] = (await once(server, "connection")) as [Socket];
  return { client, accepted: readInto(socket, MEMORY), server };
}

/** What came, and whether each chunk was in the memory that was given. */
function read(accepted: AcceptedSocket): { bytes: Buffer[]; isShared: boolean[] } {
  const result: { bytes: Buffer[]; isShared: boolean[] } = { bytes: [], isShared: [] };
  accepted.onChunk = (chunk) => {
    result.bytes.push(Buffer.from(chunk));
    result.isShared.push(chunk.buffer === MEMORY.buffer);
  };
  return result;
}

const SENT = Buffer.from(Array.from({ length: 5_500 }, (_, i) => i % 251));

test("all that comes is read in the memory that was given, up to the end", async () => {
  const { client, accepted, server } = await accept();
  const came = read(accepted);
  client.end(SENT);
  await once(accepted.socket, "end");

  expect(Buffer.concat(came.bytes).equals(SENT)).toBe(true);
  expect(came.isShared.length).toBeGreaterThan(5);
  expect(new Set(came.isShared)).toEqual(new Set([true]));
  const closed = once(server, "close");
  server.close();
  await closed;
});

test("what is written goes out, and the socket knows who is at the other end", async () => {
  const { client, accepted } = await accept();
  expect(accepted.socket.remotePort).toBe(client.localPort);
  accepted.socket.write("answer");
  const [answer] = (await once(client, "data")) as [Buffer];
  expect(answer.toString()).toBe("answer");
  const closed = once(client, "close");
  accepted.socket.destroy();
  await closed;
});

test("a connection that is reset ends with an error, and then closes", async () => {
  const { client, accepted } = await accept();
  read(accepted);
  const events: unknown[] = [];
  accepted.socket.on("error", ({ code }: NodeJS.ErrnoException) => events.push(code));
  client.resetAndDestroy();
  await new Promise((resolve) => accepted.socket.on("close", resolve));

  expect(events).toEqual(["ECONNRESET"]);
});

test("a socket that was paused as it was accepted reads on its own all the same", async () => {
  const server = createServer({ pauseOnConnect: true });
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [socket] = (await once(server, "connection")) as [Socket];
  const came = read(readingOnItsOwn(socket));
  client.end(SENT);
  await once(socket, "end");

  expect(Buffer.concat(came.bytes).equals(SENT)).toBe(true);
});

test("a socket whose connection is not found stays, and reads on its own", () => {
  const socket = new Socket();
  const accepted = readInto(socket, MEMORY);
  expect(accepted.socket).toBe(socket);
  const came = read(accepted);
  socket.emit("data", SENT);

  expect(Buffer.concat(came.bytes).equals(SENT)).toBe(true);
});
