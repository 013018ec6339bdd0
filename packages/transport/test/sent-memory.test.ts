// Goal: memory that is sent is held until the kernel has it, and let go whatever becomes of it.
// Method: real sockets through a proxy that stalls; a pool that counts what is free.

import { releaseBytes, SlabPool } from "@quorumlog/std";
import { crc32 } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { openLinkProxy } from "../src/testing/index.ts";
import { openNode, until } from "./kit/node.ts";

const BYTES = 1 << 20;
/** More than the kernel keeps for a connection on its way. */
const COUNT = 24;
const QUICK = { pingMs: 40, silenceMs: 400, frameBytesMax: 2 * BYTES };

async function stalled(): Promise<{
  readonly send: () => void;
  readonly freed: () => number;
  readonly received: () => readonly Uint8Array[];
  readonly heal: () => Promise<void>;
  readonly isDown: () => boolean;
}> {
  const one = await openNode(1, QUICK);
  const two = await openNode(2, QUICK);
  const proxy = await openLinkProxy(two.transport.address);
  onTestFinished(() => proxy.close());
  one.link.setPeers(new Map([[2, proxy.address]]));
  await until("it is up", () => one.link.isUp(2));
  let freed = 0;
  const memory = new SlabPool({
    slabBytes: BYTES,
    onFree: (slab) => {
      freed += 1;
      slab.fill(0xdb);
    },
  });
  proxy.stall();
  return {
    send: () => {
      for (let i = 0; i < COUNT; i++) {
        const bytes = memory.take(BYTES).fill(i);
        expect(one.link.send(2, "bulk", [Buffer.from("head"), bytes])).toBe(true);
        releaseBytes(bytes);
      }
      // The pool holds the last one until it takes another.
      releaseBytes(memory.take(BYTES));
    },
    freed: () => freed,
    received: () => two.receiver.frames.map(({ payload }) => payload),
    heal: () => proxy.heal(),
    isDown: () => !one.link.isUp(2),
  };
}

test("what waits for a slow peer is as it was when it gets there", async () => {
  const bench = await stalled();
  bench.send();
  expect(bench.freed()).toBeLessThan(COUNT);
  await bench.heal();
  await until("all of it arrives", () => bench.received().length === COUNT);
  const sums = bench.received().map((bytes) => crc32(bytes));
  const sent = sums.map((_, i) => crc32(Buffer.alloc(BYTES, i), crc32("head")));
  expect(sums).toEqual(sent);
  await until("all of it is let go", () => bench.freed() === COUNT);
});

test("what a peer that is gone never took is let go", async () => {
  const bench = await stalled();
  bench.send();
  expect(bench.freed()).toBeLessThan(COUNT);
  await until("it is down", bench.isDown);
  await until("all of it is let go", () => bench.freed() === COUNT);
});
