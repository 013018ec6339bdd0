// Goal: a gap is that between two acknowledged writes, and belongs to the fault it begins in.
// Method: a write each second, but for some, and faults around those.

import { expect, test } from "vitest";
import { type FaultSpan, writeGapsOf } from "../src/run/write-gaps.ts";

const S = 1e9;

function gaps(
  writes: readonly number[],
  faults: readonly (readonly [number, number])[],
  endS = 20,
): (readonly [number, number])[] {
  const spans = faults.map(([beginS, faultEndS], id): FaultSpan => {
    return { id, fault: "kill", beginNs: beginS * S, endNs: faultEndS * S };
  });
  const acknowledgedAtNs = writes.map((second) => second * S);
  return writeGapsOf("append", spans, { acknowledgedAtNs, endNs: endS * S }).map(
    ({ duringNs, afterNs }) => [duringNs / S, afterNs / S],
  );
}

const EACH = Array.from({ length: 20 }, (_, second) => second);

test("where writes go on, a gap is as long as they are apart", () => {
  expect(gaps(EACH, [[5, 8]])).toEqual([[1, 1]]);
});

test("a gap counts from the fault's begin, and to the next write, also behind its end", () => {
  const writes = EACH.filter((second) => second <= 5 || second >= 9);
  expect(gaps(writes, [[5.5, 8]])).toEqual([[3.5, 1]]);
  expect(gaps(writes, [[5.5, 5.5]])).toEqual([[3.5, 1]]);
});

test("a gap of the time after it is another one, up to the next fault", () => {
  const writes = EACH.filter((second) => second <= 10 || second >= 14);
  expect(gaps(writes, [[5, 8]])).toEqual([[1, 4]]);
  expect(
    gaps(writes, [
      [5, 8],
      [10.5, 12],
    ]),
  ).toEqual([
    [1, 1],
    [3.5, 1],
  ]);
});

test("nothing is missed after the last client has stopped", () => {
  expect(gaps([1, 2, 3], [[2, 4]], 5)).toEqual([[2, 0]]);
  expect(gaps([], [[2, 4]], 10)).toEqual([[8, 0]]);
});
