// Goal: memory is handed out to one at a time, is large enough, and is used again whatever sizes
// came before; of what nobody uses no more is kept than there is room for.
// Method: sequences of sizes by hand, and a random one beside a model.

import { Prng } from "@quorumlog/std";
import { expect, test } from "vitest";
import { SpareMemory } from "../src/spare-memory.ts";

const KIB = 1_024;
const OPTIONS = { bytesMin: 64 * KIB, bytesMax: 4_096 * KIB, spareBytesMax: 8_192 * KIB };

test("what was given is taken again, by whoever needs a little less or more", () => {
  const memory = new SpareMemory(OPTIONS);
  const first = memory.take(257 * KIB);
  memory.give(first);
  const second = memory.take(270 * KIB);
  expect(second).toBe(first);
  expect(memory.take(250 * KIB)).not.toBe(first);
});

test("of several the smallest that is large enough is taken", () => {
  const memory = new SpareMemory(OPTIONS);
  const sizes = [512, 128, 256].map((size) => memory.take(size * KIB));
  for (const each of sizes) memory.give(each);
  expect(memory.take(200 * KIB)).toBe(sizes[2]);
  expect(memory.take(200 * KIB)).toBe(sizes[0]);
});

test("small ones that were there first do not keep larger ones from being used again", () => {
  const memory = new SpareMemory(OPTIONS);
  const small = Array.from({ length: 500 }, () => memory.take(64 * KIB));
  for (const each of small) memory.give(each);
  for (let size = 100 * KIB; size <= 1_100 * KIB; size += 10 * KIB) memory.give(memory.take(size));
  const large = memory.take(1_100 * KIB);
  memory.give(large);
  expect(memory.take(1_100 * KIB)).toBe(large);
});

test("nothing goes for what does not find room all the same", () => {
  const memory = new SpareMemory(OPTIONS);
  for (const size of [64, 4_000, 4_000]) memory.give(Buffer.alloc(size * KIB));
  const before = memory.spareBytes;
  memory.give(Buffer.alloc(512 * KIB));
  expect(memory.spareBytes).toBe(before);
});

test("what is too small or too large is new each time, and is not kept", () => {
  const memory = new SpareMemory(OPTIONS);
  for (const size of [10, 63 * KIB, 5_000 * KIB]) {
    const first = memory.take(size);
    expect(first.length).toBe(size);
    memory.give(first);
    expect(memory.spareBytes).toBe(0);
  }
});

test("nothing is handed out twice, and room is kept to", () => {
  const prng = new Prng(1);
  const memory = new SpareMemory(OPTIONS);
  const used = new Set<Buffer>();
  for (let i = 0; i < 5_000; i++) {
    if (prng.chance(0.5)) {
      const size = prng.below(prng.pick([100, 100 * KIB, 6_000 * KIB]));
      const taken = memory.take(size);
      expect(taken.length).toBeGreaterThanOrEqual(size);
      expect(used.has(taken)).toBe(false);
      used.add(taken);
    } else {
      const given = prng.pick([...used, Buffer.alloc(1)]);
      if (used.delete(given)) memory.give(given);
    }
    expect(memory.spareBytes).toBeLessThanOrEqual(OPTIONS.spareBytesMax);
  }
});
