// Goal: chance that repeats: equal seeds give equal streams, on every machine, and fair ones.
// Method: fixed first numbers; counts over many draws against what a fair generator gives.
// Blackman and Vigna (2018), xoshiro128**.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvariantViolation, Prng } from "../src/index.ts";

function draws(seed: number, count: number): number[] {
  const prng = new Prng(seed);
  return Array.from({ length: count }, () => prng.uint32());
}

describe("the stream", () => {
  test("is the same for the same seed", () => {
    expect(draws(7, 100)).toEqual(draws(7, 100));
  });

  test("differs between seeds that are close, or differ in the upper half only", () => {
    const seeds = [0, 1, 2, 2 ** 32, 2 ** 33, 2 ** 40, 2 ** 52, Number.MAX_SAFE_INTEGER];
    const streams = new Set(seeds.map((seed) => draws(seed, 4).join(" ")));
    expect(streams.size).toBe(seeds.length);
  });

  test("consists of unsigned 32-bit integers that do not get stuck", () => {
    const list = draws(0, 10_000);
    expect(list.every((value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32)).toBe(
      true,
    );
    expect(new Set(list).size).toBeGreaterThan(9_990);
  });

  test("sets every bit half of the time", () => {
    const list = draws(3, 20_000);
    for (let bit = 0; bit < 32; bit++) {
      const ones = list.filter((value) => Math.floor(value / 2 ** bit) % 2 === 1).length;
      expect(Math.abs(ones / list.length - 0.5)).toBeLessThan(0.02);
    }
  });

  test.each([0.5, NaN, Infinity, 2 ** 53])("refuses %d as a seed", (seed) => {
    expect(() => new Prng(seed)).toThrow(InvariantViolation);
  });
});

describe("ranges", () => {
  test("below: every value in [0, bound), about as often", () => {
    const prng = new Prng(1);
    const counts = Array.from({ length: 6 }, () => 0);
    for (let i = 0; i < 6_000; i++) {
      const value = prng.below(6);
      counts[value] = (counts[value] ?? 0) + 1;
    }
    expect(counts).toHaveLength(6);
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  test("below any bound, from any seed, stays below it", () => {
    const bound = fc.integer({ min: 1, max: 2 ** 32 });
    fc.assert(
      fc.property(fc.maxSafeInteger(), bound, (seed, value) => {
        const drawn = new Prng(seed).below(value);
        return Number.isInteger(drawn) && drawn >= 0 && drawn < value;
      }),
      { seed: 1 },
    );
  });

  test("below 1 is 0, and the widest bound is allowed", () => {
    const prng = new Prng(1);
    expect(prng.below(1)).toBe(0);
    expect(prng.below(2 ** 32)).toBeLessThan(2 ** 32);
  });

  test.each([0, -1, 1.5, 2 ** 32 + 1, NaN])("below %d is a bug", (bound) => {
    expect(() => new Prng(1).below(bound)).toThrow(InvariantViolation);
  });

  test("between: every value in [low, high)", () => {
    const prng = new Prng(2);
    const seen = new Set(Array.from({ length: 200 }, () => prng.between(-2, 3)));
    expect([...seen].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
    expect(() => prng.between(3, 3)).toThrow(InvariantViolation);
  });

  test("fraction is in [0, 1)", () => {
    const prng = new Prng(4);
    for (let i = 0; i < 1_000; i++) {
      const value = prng.fraction();
      expect(value >= 0 && value < 1).toBe(true);
    }
  });

  test("chance: never at 0, always at 1, about a quarter at 0.25", () => {
    const prng = new Prng(5);
    const hits = (probability: number): number =>
      Array.from({ length: 4_000 }, () => prng.chance(probability)).filter(Boolean).length;
    expect(hits(0)).toBe(0);
    expect(hits(1)).toBe(4_000);
    expect(Math.abs(hits(0.25) - 1_000)).toBeLessThan(120);
  });
});

describe("collections", () => {
  test("pick takes each item, and needs one", () => {
    const prng = new Prng(6);
    const seen = new Set(Array.from({ length: 100 }, () => prng.pick(["a", "b", "c"])));
    expect(seen.size).toBe(3);
    expect(() => prng.pick([])).toThrow(InvariantViolation);
  });

  test("shuffle keeps the items and reaches every order", () => {
    const prng = new Prng(7);
    const orders = new Set<string>();
    for (let i = 0; i < 200; i++) {
      const list = ["a", "b", "c"];
      expect(prng.shuffle(list)).toBe(list);
      orders.add(list.join(""));
    }
    expect([...orders].sort()).toEqual(["abc", "acb", "bac", "bca", "cab", "cba"]);
  });
});

test("a fork goes its own way, whatever is drawn from its parent later", () => {
  const [one, other] = [new Prng(8), new Prng(8)];
  const [forked, same] = [one.fork(), other.fork()];
  one.uint32();
  one.uint32();
  expect(forked.uint32()).toBe(same.uint32());
  expect(forked.uint32()).not.toBe(other.uint32());
});
