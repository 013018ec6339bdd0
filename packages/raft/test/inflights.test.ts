// Goal: the window of appends in flight is bounded, and what leaves it makes room exactly once.
// Method: the ring alone, by hand and against a plain list (fast-check).
// Thesis §10.2.1 (pipelining).

import { InvariantViolation } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import { Inflights } from "../src/inflights.ts";
import { fc } from "./kit/properties.ts";

function window(inflightCountMax: number, inflightBytesMax = 1000): Inflights {
  return new Inflights({ inflightCountMax, inflightBytesMax });
}

function filled(count: number, countMax: number): Inflights {
  const inflights = window(countMax);
  for (let index = 1; index <= count; index++) inflights.add(index, 10);
  return inflights;
}

describe("the limit on the count", () => {
  test("is reached by as many messages, and not before", () => {
    expect(filled(2, 3).isFull()).toBe(false);
    expect(filled(3, 3).isFull()).toBe(true);
  });

  test("is not passed: adding to a full window is a bug", () => {
    expect(() => filled(3, 3).add(4, 10)).toThrow(InvariantViolation);
  });
});

describe("the limit on bytes", () => {
  test("lets the message through that passes it, then closes", () => {
    const inflights = window(10, 100);
    inflights.add(1, 99);
    expect(inflights.isFull()).toBe(false);
    inflights.add(2, 500);
    expect(inflights.isFull()).toBe(true);
  });

  test("of nothing at all still lets one message through at a time", () => {
    const inflights = window(10, 0);
    expect(inflights.isFull()).toBe(false);
    inflights.add(1, 5);
    expect(inflights.isFull()).toBe(true);
    inflights.freeUpTo(1);
    expect(inflights.isFull()).toBe(false);
  });
});

describe("an acknowledgement frees", () => {
  test.each([
    [0, 4],
    [1, 3],
    [3, 1],
    [4, 0],
    [9, 0],
  ])("up to index %i: %i remain", (index, left) => {
    const inflights = filled(4, 10);
    inflights.freeUpTo(index);
    expect(inflights.count).toBe(left);
    expect(inflights.bytes).toBe(left * 10);
  });

  test("nothing twice", () => {
    const inflights = filled(4, 10);
    inflights.freeUpTo(2);
    inflights.freeUpTo(2);
    inflights.freeUpTo(1);
    expect(inflights.count).toBe(2);
  });

  test("a message only with its last entry", () => {
    const inflights = window(4);
    inflights.add(10, 1);
    inflights.freeUpTo(9);
    expect(inflights.count).toBe(1);
  });
});

test("reset empties it", () => {
  const inflights = filled(3, 3);
  inflights.reset();
  expect([inflights.count, inflights.bytes, inflights.isFull()]).toEqual([0, 0, false]);
});

test("behaves like a list, however long it runs round the ring", () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ add: fc.integer({ min: 1, max: 3 }), bytes: fc.integer({ min: 0, max: 50 }) }),
      fc.record({ free: fc.integer({ min: 0, max: 6 }) }),
    ),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 9 }), (list, countMax) => {
      const inflights = window(countMax, 100);
      let model: { index: number; bytes: number }[] = [];
      let last = 0;
      let low = 0;
      for (const step of list) {
        if ("free" in step) {
          low += step.free;
          inflights.freeUpTo(low);
          model = model.filter(({ index }) => index > low);
        } else if (!inflights.isFull()) {
          last = Math.max(last, low) + step.add;
          inflights.add(last, step.bytes);
          model.push({ index: last, bytes: step.bytes });
        }
        const bytes = model.reduce((sum, item) => sum + item.bytes, 0);
        expect([inflights.count, inflights.bytes]).toEqual([model.length, bytes]);
        expect(inflights.isFull()).toBe(model.length >= countMax || bytes >= 100);
      }
    }),
  );
});
