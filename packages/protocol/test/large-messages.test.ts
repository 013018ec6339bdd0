// Goal: each large message that goes through grpc-js has its own bytes, though the memory of those
// before it is used again: whatever other calls do meanwhile, are cancelled, or never get anywhere.
// Method: a real port and real channels; requests and replies of many sizes at once, filled with a
// mark of their own, both ways; among them calls that are cancelled at once, or when they are sent.

import { Prng } from "@quorumlog/std";
import type { FetchReply } from "../generated/messages.js";
import { expect, onTestFinished, test } from "vitest";
import { BROKER_SERVICE, RpcChannel, RpcServer } from "../src/index.ts";

const KIB = 1_024;
const STREAMS = 4;
const MESSAGES = 24;
const NONE = Buffer.alloc(1);
const SIZES = [10, 70, 300, 1_000].map((size) => size * KIB);

/** Bytes of which each is the mark. */
function marked(size: number, mark: number): Buffer {
  return Buffer.alloc(size, mark);
}

function isMarked(bytes: Uint8Array, mark: number): boolean {
  return Buffer.compare(bytes, marked(bytes.length, mark)) === 0;
}

/** Two, as what is large goes one way on each: see rpc-window.ts. */
async function openPort(): Promise<readonly [RpcChannel, RpcChannel]> {
  const server = new RpcServer({
    listen: "127.0.0.1:0",
    onDefect: (error) => {
      throw error;
    },
  });
  server.handle(BROKER_SERVICE, {
    publish: {
      duplex: (call) => {
        call.on("data", ({ requestId, timeoutMs, batches }) => {
          const isWhole: boolean = batches.every((batch: Uint8Array) => isMarked(batch, timeoutMs));
          call.write({ requestId, term: isWhole ? 1 : 0 });
        });
        call.on("end", () => call.end());
        call.on("error", () => undefined);
      },
    },
    fetch: {
      duplex: (call) => {
        call.on("data", ({ requestId, bytesMax, waitMs }) => {
          const batches = [0, 1].map(() => ({ batch: marked(bytesMax, waitMs) }));
          call.write({ requestId, queues: [{ batches }] });
        });
        call.on("end", () => call.end());
        call.on("error", () => undefined);
      },
    },
    queryOffsets: { unary: () => ({}) },
    queryByKey: { unary: () => ({}) },
    listProducers: { unary: () => ({}) },
  });
  await server.open();
  const address = `127.0.0.1:${server.port}`;
  const channels = [new RpcChannel({ address }), new RpcChannel({ address })] as const;
  onTestFinished(async () => {
    for (const channel of channels) channel.close();
    await server.close(0);
  });
  return channels;
}

/** Publishes on a stream of its own. @returns how many were whole where they arrived. */
function published(channel: RpcChannel, prng: Prng): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = channel.duplex(BROKER_SERVICE.publish);
    let [answered, whole] = [0, 0];
    stream.on("error", reject);
    stream.on("data", ({ term }) => {
      answered += 1;
      whole += term;
      if (answered === MESSAGES) resolve(whole);
    });
    for (let requestId = 1; requestId <= MESSAGES; requestId++) {
      const mark = prng.below(256);
      const batches = [0, 1].map(() => marked(1 + prng.below(prng.pick(SIZES)), mark));
      stream.write({ requestId, timeoutMs: mark, batches });
    }
  });
}

/** Fetches on a stream of its own. @returns how many replies were whole. */
function fetched(channel: RpcChannel, prng: Prng): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = channel.duplex(BROKER_SERVICE.fetch);
    let [answered, whole] = [0, 0];
    const marks = Array.from({ length: MESSAGES }, () => prng.below(256));
    stream.on("error", reject);
    stream.on("data", ({ requestId, queues }: FetchReply) => {
      answered += 1;
      const mark = marks[requestId] ?? -1;
      const batches = queues.flatMap((queue) => queue.batches ?? []);
      if (batches.every(({ batch = NONE }) => isMarked(batch ?? NONE, mark))) whole += 1;
      if (answered === MESSAGES) resolve(whole);
    });
    for (const [requestId, waitMs] of marks.entries())
      stream.write({ requestId, waitMs, bytesMax: 1 + prng.below(prng.pick(SIZES)) });
  });
}

/** Large requests of which nobody wants an answer any more. */
async function cancelled(channel: RpcChannel, prng: Prng): Promise<void> {
  for (let i = 0; i < MESSAGES; i++) {
    const stream = channel.duplex(BROKER_SERVICE.publish);
    stream.on("error", () => undefined);
    stream.write({ batches: [marked(prng.pick(SIZES), 1), marked(prng.pick(SIZES), 2)] });
    if (prng.chance(0.5)) await new Promise((resolve) => setImmediate(resolve));
    stream.cancel();
  }
}

test("large messages are what they were, whatever memory they are in", async () => {
  const [outward, inward] = await openPort();
  const nowhere = new RpcChannel({ address: "127.0.0.1:1" });
  const lost = nowhere.duplex(BROKER_SERVICE.publish);
  lost.on("error", () => undefined);
  for (const size of SIZES) lost.write({ batches: [marked(size, 3)] });
  const prngs = Array.from({ length: STREAMS }, (_, seed) => new Prng(seed));

  const counts = await Promise.all([
    ...prngs.map((prng) => published(outward, prng)),
    ...prngs.map((prng) => fetched(inward, prng)),
    cancelled(outward, new Prng(99)).then(() => MESSAGES),
  ]);
  nowhere.close();

  expect(counts).toEqual(counts.map(() => MESSAGES));
});
