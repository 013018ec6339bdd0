// Goal: a run passes only if everything was decided, nothing is wrong, and its faults had effects.

import { expect, test } from "vitest";
import type { CoverageRecord, WorkloadRecord } from "../src/run/run-record.ts";
import { exitCodeOfValidity, verdictOf } from "../src/run/run-verdict.ts";

const WORKLOAD: WorkloadRecord = {
  name: "append",
  kind: "log",
  valid: true,
  clientCount: 2,
  nodeIds: [1, 2, 3],
  operations: { ok: 90, fail: 8, info: 2 },
  counts: {},
  anomalies: [],
  anomalyCount: 0,
  unknown: [],
};
const BROKEN: WorkloadRecord = {
  ...WORKLOAD,
  name: "queue",
  valid: false,
  anomalies: [{ kind: "lost", message: "7 is lost", events: [3] }],
  anomalyCount: 12,
};
const UNDECIDED: WorkloadRecord = { ...WORKLOAD, valid: "unknown", unknown: ["it took too long"] };
const KILL: CoverageRecord = {
  workload: "append",
  fault: "kill",
  begun: 4,
  bit: 3,
  evidence: "gone",
};

test("a run that went well passes, in words with figures", () => {
  const { valid, summary, reasons } = verdictOf([WORKLOAD, BROKEN].slice(0, 1), [KILL], []);

  expect([valid, reasons]).toEqual([true, []]);
  expect(summary).toBe("No anomaly in 100 operations of append, while 4 faults went on");
});

test("an anomaly is first, and nothing else is left out", () => {
  const verdict = verdictOf([UNDECIDED, BROKEN], [{ ...KILL, bit: 0 }], ["node 2 has ended"]);

  expect(verdict.valid).toBe(false);
  expect(verdict.summary).toContain("Anomalies in queue");
  expect(verdict.reasons).toEqual([
    "queue: 12 anomalies: lost",
    "node 2 has ended",
    "append: kill was begun 4 times, and never had an effect",
    "append: it took too long",
  ]);
});

test("a fault without an effect fails the run, as one that was never begun", () => {
  expect(verdictOf([WORKLOAD], [{ ...KILL, bit: 0 }], []).valid).toBe(false);
  expect(verdictOf([WORKLOAD], [{ ...KILL, begun: 0, bit: 0 }], []).reasons).toEqual([
    "append: kill was asked for, and never begun",
  ]);
});

test("what is not decided is no pass, and not the same as a failure", () => {
  const { valid } = verdictOf([UNDECIDED], [KILL], []);

  expect(valid).toBe("unknown");
  expect([true, false, valid].map((each) => exitCodeOfValidity(each))).toEqual([0, 1, 3]);
});
