// Goal: a step is told beside the small case of the same rounds, with what it missed and what was
// not stored as it was acknowledged.
// Method: results by hand, in which each figure is known.

import { expect, test } from "vitest";
import { DIMENSIONS, type Dimension } from "../src/scale/dimension.ts";
import {
  type CaseFigures,
  type CaseWindow,
  faultsOf,
  ratioOf,
  type StepResult,
} from "../src/scale/scale-figures.ts";
import { tableOf } from "../src/scale/scale-table.ts";

const QUEUES = DIMENSIONS.find(({ name }) => name === "queues") as Dimension;

function windowOf(perSecond: number): CaseWindow {
  const micros = { clientMicros: 5, brokerMicros: 2, groupsMicros: 0 };
  return { perSecond, p50Ms: 40, p99Ms: 150, ...micros, idleShare: 0 };
}

function figuresOf(
  rates: readonly number[],
  audit: Partial<CaseFigures["audit"]> = {},
): CaseFigures {
  const none = { acked: 9, repeated: 0, lost: 0, strange: 0, read: 9, wrongBlocks: 0 };
  return {
    windows: rates.map(windowOf),
    anonymousMb: [100, 50, 50],
    restart: { openSeconds: 1, publishSeconds: 1.5 },
    audit: { ...none, ...audit },
  };
}

function resultOf(step: number, big: CaseFigures, small: CaseFigures): StepResult {
  return { dimension: "queues", step, big, small, fillRates: [] };
}

function rateOf({ perSecond }: CaseWindow): number {
  return perSecond;
}

test("rounds are compared one by one, not the medians of them", () => {
  // The machine was slow in the second round, for both.
  const result = resultOf(100, figuresOf([100, 10, 90]), figuresOf([50, 5, 30]));

  expect(ratioOf(result, rateOf)).toEqual({ lowest: 2, median: 2, highest: 3 });
});

test("a round that one of them lacks is not compared", () => {
  const result = resultOf(100, figuresOf([100, 1]), figuresOf([50]));

  expect(ratioOf(result, rateOf)).toEqual({ lowest: 2, median: 2, highest: 2 });
  expect(ratioOf(resultOf(1, figuresOf([1]), figuresOf([])), rateOf)).toBeUndefined();
});

test("each step has a row with its rate, the small case's and their ratio", () => {
  const lines = tableOf(QUEUES, [resultOf(100, figuresOf([75_000]), figuresOf([100_000]))]);

  expect(lines[0]).toContain("beside 4");
  expect(lines[2]).toMatch(/^ +100 +75,000 +100,000 +0\.75 +0\.75-0\.75 /u);
  expect(lines[2]).toContain("200 (200)");
  expect(lines[2]).toContain("1.50 (1.50)");
  expect(lines).toHaveLength(3);
});

test("the goal is judged at the last step alone", () => {
  const [reached, missed] = [60_000, 59_000].map((rate) =>
    tableOf(QUEUES, [resultOf(10_000, figuresOf([rate]), figuresOf([100_000]))]).at(-1),
  );

  expect(reached).toBe("goal at 10,000: 0.6 of the small case's rate: reached");
  expect(missed).toBe("goal at 10,000: 0.6 of the small case's rate: MISSED");
});

test("what was lost, of either case, is told under the row", () => {
  const lost = figuresOf([1], { lost: 3, wrongBlocks: 1 });

  expect(faultsOf(figuresOf([1]))).toEqual([]);
  expect(faultsOf(lost)).toHaveLength(2);
  const text = tableOf(QUEUES, [resultOf(100, figuresOf([1], { strange: 2 }), lost)]).join("\n");
  expect(text).toContain("FAILED: 2 messages are stored that nobody was told of");
  expect(text).toContain("FAILED: of the small case, 3 of 9 acknowledged messages are lost");
});
