// Goal: a run passes only if everything was decided, nothing is wrong, and its faults had effects.

import { expect, test } from "vitest";
import type { CoverageRecord, Verdict, WorkloadRecord } from "../src/run/run-record.ts";
import { exitCodeOfValidity, verdictOf, type VerdictParts } from "../src/run/run-verdict.ts";

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
  needed: 1,
  evidence: "gone",
};

function judged(parts: Partial<VerdictParts>): Verdict {
  const whole = { workloads: [WORKLOAD], coverage: [KILL], problems: [] };
  return verdictOf({ ...whole, mustBite: "everywhere", ...parts });
}

test("a run that went well passes, in words with figures", () => {
  const { valid, summary, reasons } = judged({});

  expect([valid, reasons]).toEqual([true, []]);
  expect(summary).toBe("No anomaly in 100 operations of append, while 4 faults went on");
});

test("an anomaly is first, and nothing else is left out", () => {
  const verdict = judged({
    workloads: [UNDECIDED, BROKEN],
    coverage: [{ ...KILL, bit: 0 }],
    problems: ["node 2 has ended"],
  });

  expect(verdict.valid).toBe(false);
  expect(verdict.summary).toContain("Anomalies in queue");
  expect(verdict.reasons).toEqual([
    "queue: 12 anomalies: lost",
    "node 2 has ended",
    "append: kill was begun 4 times, and never had an effect",
    "append: it took too long",
  ]);
});

function wordsOf(kinds: readonly string[]): string {
  const anomalies = kinds.map((kind) => ({ kind, message: "", events: [] }));
  const workload = { ...BROKEN, anomalies, anomalyCount: kinds.length };
  return judged({ workloads: [workload] }).summary;
}

test("what is wrong with nodes alone is not said of clients", () => {
  expect(wordsOf(["broken-invariant"])).toMatch(/in queue: nodes have ended/u);
  expect(wordsOf(["broken-invariant", "replicas-differ"])).toMatch(/do not have the same/u);
  expect(wordsOf(["broken-invariant", "lost"])).toMatch(/what clients were told/u);
});

test("a fault that was asked for and is possible nowhere fails the run, and says why", () => {
  const impossible = ["partition-ring was asked for, and is left out: needs five nodes"];

  expect(judged({ impossible })).toEqual({
    valid: false,
    summary: "No anomaly, but faults that were asked for had no effect",
    reasons: impossible,
  });
});

test("a fault without an effect fails the run, as one that was never begun", () => {
  expect(judged({ coverage: [{ ...KILL, bit: 0 }] }).valid).toBe(false);
  expect(judged({ coverage: [{ ...KILL, begun: 0, bit: 0 }] }).reasons).toEqual([
    "append: kill was asked for, and there was never anybody to hit",
  ]);
  expect(judged({ coverage: [{ ...KILL, needed: 4 }] }).reasons).toEqual([
    "append: kill had an effect 3 times, and needs 4",
  ]);
});

test("a fault that was drawn from a mix has to have an effect somewhere", () => {
  const idle = { ...KILL, workload: "queue", bit: 0 };
  const undrawn = { ...KILL, fault: "pause", begun: 0, bit: 0 };

  expect(judged({ coverage: [KILL, idle, undrawn], mustBite: "anywhere" }).valid).toBe(true);
  expect(judged({ coverage: [KILL, idle] }).valid).toBe(false);
  expect(judged({ coverage: [idle], mustBite: "anywhere" }).valid).toBe(false);
  const once = { ...idle, begun: 1 };
  expect(judged({ coverage: [once, once], mustBite: "anywhere" }).valid).toBe(true);
  expect(judged({ coverage: [once, once, once], mustBite: "anywhere" }).valid).toBe(false);
});

test("what is not decided is no pass, and not the same as a failure", () => {
  const { valid } = judged({ workloads: [UNDECIDED] });

  expect(valid).toBe("unknown");
  expect([true, false, valid].map((each) => exitCodeOfValidity(each))).toEqual([0, 1, 3]);
});
