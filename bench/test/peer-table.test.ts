// Goal: the table has what was measured: medians, spread, who is ahead, and what failed.
// Method: results by hand, in which each figure is known.

import { expect, test } from "vitest";
import { aheadBy, figureOf, type PeerResult, tableOf } from "../src/peers/peer-table.ts";
import type { Workload } from "../src/peers/workload.ts";
import { spreadOf } from "../src/spread.ts";

const WORKLOAD: Workload = {
  name: "publish 1 KB x 1",
  unit: "acked/s",
  isMoreBetter: true,
  judgedBy: "median",
  run: () => Promise.reject(new Error("nothing is run here")),
};
const GAP = { isMoreBetter: false, judgedBy: "worst" } as const;

function resultsOf(system: string, ...valuesByRound: readonly (readonly number[])[]): PeerResult[] {
  return valuesByRound.map((values, round) => ({
    system,
    workload: WORKLOAD.name,
    round,
    outcome: { values, beside: { "p50 ms": 2 * (values[0] ?? 0) }, faults: [] },
  }));
}

test("a spread has the value in the middle, whatever the order", () => {
  expect(spreadOf([30, 10, 20])).toEqual({ lowest: 10, median: 20, highest: 30 });
  expect(spreadOf([4, 1, 3, 2])).toEqual({ lowest: 1, median: 3, highest: 4 });
  expect(spreadOf([])).toBeUndefined();
});

test("rounds are compared one by one, not the medians of them", () => {
  // The machine was slow in the second round, for both.
  const ours = resultsOf("ours", [100], [10], [90]);
  const theirs = resultsOf("theirs", [50], [5], [30]);

  expect(aheadBy(WORKLOAD, ours, theirs)).toBe(2);
});

test("of what should be small the worst of all is compared, and more than 1 is better", () => {
  const ours = resultsOf("ours", [10, 100], [20, 30]);
  const theirs = resultsOf("theirs", [50, 60], [400, 20]);

  expect(aheadBy(GAP, ours, theirs)).toBe(4);
});

test("rounds that one of them lacks are not compared", () => {
  const ours = resultsOf("ours", [100], [300]);

  expect(aheadBy(WORKLOAD, ours, resultsOf("theirs", [50]))).toBe(2);
  expect(aheadBy(WORKLOAD, ours, [])).toBeUndefined();
});

test("each system has a row with its durability, and a failure is beneath it", () => {
  const [broken] = resultsOf("theirs", [50]);
  const faults = ["3 acknowledged messages were not read back"];
  const results = [
    ...resultsOf("ours", [120], [100], [110]),
    ...(broken === undefined ? [] : [{ ...broken, outcome: { ...broken.outcome, faults } }]),
  ];
  const cards = new Map([
    ["ours", { version: "1.0.0", durability: "fsync on a majority" }],
    ["theirs", { version: "2.0.0", durability: "no fsync" }],
    ["third", { version: "3.0.0", durability: "no fsync" }],
  ]);

  const lines = tableOf([WORKLOAD], cards, results).map((line) => line.split(/\s+/u).join(" "));

  expect(lines).toEqual([
    "",
    "publish 1 KB x 1, acked/s",
    " median lowest highest p50 ms ours is",
    "ours 110 100 120 220 fsync on a majority",
    "theirs 50.0 50.0 50.0 100 2.40 x no fsync",
    " FAILED in round 1: 3 acknowledged messages were not read back",
    "third not measured",
  ]);
});

test("what is bare has a row only where it was measured", () => {
  const other: Workload = { ...WORKLOAD, name: "end to end" };
  const [late] = resultsOf("ours", [5]);
  const results = [
    ...resultsOf("ours", [62]),
    ...resultsOf("bare", [100]),
    ...(late === undefined ? [] : [{ ...late, workload: other.name }]),
  ];
  const cards = new Map([
    ["ours", { version: "1.0.0", durability: "fsync on a majority" }],
    ["bare", { version: "1.0.0", durability: "no consensus", isBare: true as const }],
  ]);

  const names = tableOf([WORKLOAD, other], cards, results).map((line) => line.split(/\s+/u)[0]);
  const bare = tableOf([WORKLOAD], cards, results).at(-1);

  expect(names).toEqual(["", "publish", "", "ours", "bare", "", "end", "", "ours"]);
  expect(bare).toMatch(/ 0\.62 x {2}no consensus$/u);
});

test("a workload that did not run has no lines", () => {
  expect(tableOf([WORKLOAD], new Map(), [])).toEqual([]);
});

test.each([
  [123_456.7, "123,457"],
  [99.94, "99.9"],
  [9.876, "9.88"],
  [Number.NaN, "-"],
])("%d is written as %s", (value, text) => {
  expect(figureOf(value)).toBe(text);
});
