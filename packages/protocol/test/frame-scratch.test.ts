// Goal: memory of messages is used again, but never while grpc-js has yet to copy what is in it.
// Method: messages of several lengths, copied as grpc-js does it, now, later, or never.

import { Prng } from "@quorumlog/std";
import { expect, test } from "vitest";
import { scratch } from "../src/frame-scratch.ts";

const KIB = 1_024;

function copyOf(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(message.length + 5);
  message.copy(frame, 5);
  return frame.subarray(5);
}

test("what was copied makes room for the next", () => {
  const first = scratch(300 * KIB);
  copyOf(first);
  const second = scratch(290 * KIB);
  expect(second.buffer).toBe(first.buffer);
  copyOf(second);
});

test("what was not copied keeps its memory", () => {
  const first = scratch(300 * KIB);
  const second = scratch(300 * KIB);
  expect(second.buffer).not.toBe(first.buffer);
});

test("what is copied again is refused: another message may be in its memory by then", () => {
  const first = scratch(300 * KIB);
  copyOf(first);
  const second = scratch(300 * KIB);
  expect(second.buffer).toBe(first.buffer);
  expect(() => copyOf(first)).toThrow("a message is copied into one frame");
  expect(scratch(300 * KIB).buffer).not.toBe(second.buffer);
});

test("any number of messages under way are what they were", () => {
  const prng = new Prng(1);
  const underWay: { readonly message: Buffer; readonly mark: number }[] = [];
  for (let i = 0; i < 300; i++) {
    const message = scratch(1 + prng.below(prng.pick([100, 100 * KIB, 1_000 * KIB, 6_000 * KIB])));
    const mark = i % 256;
    message.fill(mark);
    underWay.push({ message, mark });
    while (underWay.length > prng.below(8)) {
      const [taken] = underWay.splice(prng.below(underWay.length), 1);
      if (taken === undefined || prng.chance(0.1)) continue;
      const { length } = taken.message;
      expect(Buffer.compare(copyOf(taken.message), Buffer.alloc(length, taken.mark))).toBe(0);
    }
  }
});
