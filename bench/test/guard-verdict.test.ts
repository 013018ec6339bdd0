// Goal: the guard fails below half of what was recorded, and at nothing else.
// Method: records and figures by hand, on both sides of each limit.

import { expect, test } from "vitest";
import { adviceOn, type GuardFinding, guardTable, verdictOf } from "../src/guard/guard-verdict.ts";
import type { RatioRecords } from "../src/guard/ratio-record.ts";

const RECORD = { ratio: 0.8, date: "2026-11-22", machine: "a machine", commit: "c2b65b2f4a" };
const RECORDS: RatioRecords = new Map([["log", RECORD]]);
const QUIET = 0.02;
const BUSY = 0.4;

function benchOf(name: string): string {
  return `${name} --rounds 3`;
}

function found(...figures: readonly (readonly [ratio: number, others: number])[]): GuardFinding {
  return { name: "log", figures: figures.map(([ratio, others]) => ({ ratio, others })) };
}

test.each([
  ["at 0.51 of the record it holds", 0.51, "holds"],
  ["at half of it, too", 0.5, "holds"],
  ["at 0.49 it is slower", 0.49, "slower"],
  ["what did nothing is slower", 0, "slower"],
  ["what is no number is slower", Number.NaN, "slower"],
  ["what is faster holds", 3, "holds"],
])("%s", (_, share, verdict) => {
  expect(verdictOf(found([share * RECORD.ratio, QUIET]), RECORDS)).toBe(verdict);
});

test("the best of several measurements counts", () => {
  expect(verdictOf(found([0.1, QUIET], [0.5, QUIET], [0.2, QUIET]), RECORDS)).toBe("holds");
  expect(verdictOf(found([0.1, QUIET], [0.3, QUIET], [0.2, QUIET]), RECORDS)).toBe("slower");
});

test("beside busy programs nothing is judged to be slower, until it was once without them", () => {
  expect(verdictOf(found([0.1, BUSY], [0.1, BUSY]), RECORDS)).toBe("not judged");
  expect(verdictOf(found([0.1, BUSY], [0.1, QUIET]), RECORDS)).toBe("slower");
  expect(verdictOf(found([0.5, BUSY]), RECORDS)).toBe("holds");
});

test("what has no record is told, with what records it", () => {
  const finding = { ...found([0.1, QUIET]), name: "new" };

  expect(verdictOf(finding, RECORDS)).toBe("not recorded");
  expect(adviceOn([finding], RECORDS, () => "log")).toEqual([
    'new: npm run bench -- guard --only "new" --record   records it',
  ]);
});

test("the table has what was measured beside what was recorded, and each attempt", () => {
  const findings = [found([0.1, BUSY], [0.6, QUIET]), { ...found([0.25, QUIET]), name: "new" }];

  const lines = guardTable(findings, RECORDS).map((line) => line.split(/\s+/u).join(" "));

  expect(lines).toEqual([
    " of bare recorded of that others",
    "log 0.60 0.80 0.75 2 % holds, measured 0.10, then 0.60, recorded 2026-11-22 at c2b65b2f4a",
    "new 0.25 - - 2 % not recorded",
  ]);
});

test("nothing is advised if all hold", () => {
  expect(adviceOn([found([0.8, QUIET])], RECORDS, () => "log")).toEqual([]);
});

test("of what is slower the figures, the record, and what to do next are told", () => {
  const advice = adviceOn([found([0.1, QUIET], [0.2, QUIET])], RECORDS, benchOf);

  expect(advice[1]).toBe(
    "  log: 0.10, then 0.20 of its bare counterpart, was 0.80 at c2b65b2f4a on a machine",
  );
  const text = advice.join("\n");
  expect(text).toContain('npm run bench -- guard --only "log"');
  expect(text).toContain("npm run bench -- log --rounds 3");
  expect(text).toContain("git worktree add ../before c2b65b2f4a ");
  expect(text).toContain("npm run bench -- guard --record");
});
