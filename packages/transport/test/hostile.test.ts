// Goal: no stranger, and no peer with a bug, takes a node down or grows its memory.
// Method: bytes that no node sends; what the node counts, and that it still serves others.

import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "@quorumlog/std";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { bareFrame, FRAME_DATA, FRAME_PING, FRAME_PONG, writeFrameHeader } from "../src/frame.ts";
import { lengthPrefixed } from "../src/handshake-stream.ts";
import { openNode, type TestNode, until } from "./kit/node.ts";
import { RawClient } from "./kit/raw.ts";

function bad(node: TestNode): Record<string, number> {
  return { ...node.transport.status().counters.badConnections };
}

async function expectServes(node: TestNode): Promise<void> {
  const other = await openNode(2);
  other.link.setPeers(new Map([[1, node.address]]));
  await until("an honest node is up", () => other.link.isUp(1));
  const before = node.receiver.frames.length;
  other.link.send(1, "control", [Buffer.from("hello")]);
  await until("its frame arrives", () => node.receiver.frames.length > before);
}

function header(fields: { length: number; groupId?: number; kind?: number }): Buffer {
  const bytes = Buffer.alloc(16);
  writeFrameHeader(bytes, { groupId: 1, kind: FRAME_DATA, ...fields });
  return bytes;
}

test("random bytes end their connection, whatever they are", async () => {
  const node = await openNode(1, { handshakeMs: 300 });
  const prng = new Prng(7);
  const clients = Array.from({ length: 30 }, () => new RawClient(node.address));
  for (const [i, client] of clients.entries())
    client.socket.write(Buffer.from(Array.from({ length: 1 + i * 40 }, () => prng.below(256))));
  await Promise.all(clients.map((client) => client.closed()));

  const { handshake = 0, handshakeTimeout = 0 } = bad(node);
  expect(handshake + handshakeTimeout).toBe(30);
  expect(node.transport.status()).toMatchObject({ inboundCount: 0, handshakeCount: 0 });
  // One line for each kind: the others are left out.
  expect(node.lines.length).toBeLessThanOrEqual(2);
  await expectServes(node);
});

test.each([
  ["an endless hello", 4_097],
  ["a huge one", 0xffffffff],
])("%s is not waited for", async (_name, length) => {
  const node = await openNode(1);
  const client = new RawClient(node.address);
  await client.challenge();
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32LE(length);
  client.socket.write(prefix);
  await client.closed();

  expect(bad(node)).toEqual({ handshake: 1 });
});

test("more bytes than a hello has are not kept", async () => {
  const node = await openNode(1);
  const client = new RawClient(node.address);
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32LE(4_096);
  client.socket.write(Buffer.concat([prefix, Buffer.alloc(4_000)]));
  client.socket.write(Buffer.alloc(1 << 20));
  await client.closed();

  expect(bad(node)["handshake"]).toBe(1);
});

test("a hello byte by byte has as little time as any other, and so has half a one", async () => {
  const node = await openNode(1, { handshakeMs: 200 });
  const slow = new RawClient(node.address);
  const silent = new RawClient(node.address);
  const hello = lengthPrefixed(await slow.hello());
  let at = 0;
  while (!slow.isClosed && at < hello.byteLength) {
    slow.socket.write(hello.subarray(at, at + 1));
    at += 1;
    // oxlint-disable-next-line no-await-in-loop -- Slowness is what is tested.
    await sleep(10);
  }
  await silent.closed();

  expect(slow.isClosed).toBe(true);
  expect(at).toBeLessThan(60);
  expect(bad(node)).toEqual({ handshakeTimeout: 2 });
});

test("of handshakes under way there are so many, and more are closed at once", async () => {
  const node = await openNode(1, { handshakeCountMax: 8, handshakeMs: 1_000 });
  const clients = Array.from({ length: 50 }, () => new RawClient(node.address));
  await until("the others were closed", () => clients.filter((c) => c.isClosed).length === 42);
  expect(node.transport.status().handshakeCount).toBe(8);
  expect(bad(node)).toEqual({ handshakeCount: 42 });
  await Promise.all(clients.map((client) => client.closed()));

  expect(node.transport.status().handshakeCount).toBe(0);
  await expectServes(node);
});

// Elsewhere this machine has one address of its own, not sixteen million.
const hasPlaces = process.platform === "linux";

test.skipIf(!hasPlaces)("strangers from one place keep no node from another out", async () => {
  const node = await openNode(1, { handshakeCountMax: 8, handshakeMs: 30_000 });
  const { port } = node.transport.address;
  const strangers = Array.from({ length: 20 }, () => {
    const socket = connect({ host: "127.0.0.1", port, localAddress: "127.0.0.2" });
    socket.on("error", () => undefined);
    onTestFinished(() => {
      socket.destroy();
    });
    return socket;
  });
  await until("no more are let in", () => bad(node)["handshakeCount"] === 12);

  await expectServes(node);

  expect(node.transport.status().handshakeCount).toBeLessThanOrEqual(8);
  expect(strangers.filter((socket) => !socket.closed).length).toBeGreaterThanOrEqual(6);
});

test.each([
  ["checksum", Buffer.concat([header({ length: 5 }).fill(0xff, 0, 1), Buffer.alloc(99)])],
  ["length", header({ length: (16 << 20) + 1 })],
  ["length", header({ length: 1, kind: FRAME_PING })],
  ["kind", header({ length: 0, kind: 77 })],
  ["kind", bareFrame(FRAME_PONG)],
  ["checksum", Buffer.alloc(16)],
])("a frame with a bad %s ends the connection, and counts", async (reason, bytes) => {
  const node = await openNode(1);
  const client = new RawClient(node.address);
  await client.join();
  const frame = Buffer.concat([header({ length: 3 }), Buffer.from("one")]);
  client.socket.write(Buffer.concat([frame, bytes, frame]));
  await client.closed();

  expect(bad(node)).toEqual({ [reason]: 1 });
  expect(node.receiver.frames.map(({ payload }) => Buffer.from(payload).toString())).toEqual([
    "one",
  ]);
  expect(node.receiver.frames[0]?.from).toEqual({ nodeId: 9, incarnation: 1 });
  expect(node.lines).toMatchObject([{ level: "warn", message: "connection closed", nodeId: 9 }]);
  await expectServes(node);
});

test("frames of groups that are not attached are dropped, and counted", async () => {
  const node = await openNode(1);
  const client = new RawClient(node.address);
  await client.join();
  const stray = Buffer.concat([header({ length: 3, groupId: 5 }), Buffer.from("two")]);
  const own = Buffer.concat([header({ length: 3 }), Buffer.from("one")]);
  client.socket.write(Buffer.concat([stray, stray, own]));
  await until("the own frame arrived", () => node.receiver.frames.length === 1);

  const { counters } = node.transport.status();
  expect(counters.dropped.unattached).toBe(2);
  expect([counters.framesIn, counters.bytesIn]).toEqual([3, 57]);
});

test("signs of life that are asked for and never read are not kept", async () => {
  const node = await openNode(1);
  const client = new RawClient(node.address);
  await client.join();
  client.socket.pause();
  const pings = Buffer.concat(Array.from({ length: 4_096 }, () => bareFrame(FRAME_PING)));
  const before = process.memoryUsage().rss;
  let written = 0;
  // 64 MiB of them, which would be answered with as much.
  for (let i = 0; i < 1_024 && !client.isClosed; i++) {
    // oxlint-disable-next-line no-await-in-loop -- At the pace of the node.
    await new Promise<void>((resolve) => {
      client.socket.write(pings, () => {
        resolve();
      });
    });
    written += 1;
  }

  expect(written).toBe(1_024);
  expect(process.memoryUsage().rss - before).toBeLessThan(48 << 20);
  await expectServes(node);
}, 30_000);

test("a connection on which nothing comes is closed after a while", async () => {
  const node = await openNode(1, { pingMs: 20, silenceMs: 60 });
  const client = new RawClient(node.address);
  await client.join();
  await client.closed();

  expect(bad(node)).toEqual({ silent: 1 });
});
