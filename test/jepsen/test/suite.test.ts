// Goal: a suite has every cell that is possible, goes on where it was cut, and says what came of
// each, and why some are left out.
// Method: plans of the workloads and faults that there are; cells by hand; a folder.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { allFaults } from "../src/nemesis/all-faults.ts";
import type { RunRecord, WorkloadRecord } from "../src/run/run-record.ts";
import { cellsOf, type SuiteCell } from "../src/suite/suite-cell.ts";
import { matrixText } from "../src/suite/suite-matrix.ts";
import { planSuite, type SuitePlan } from "../src/suite/suite-plan.ts";
import { SuiteState } from "../src/suite/suite-state.ts";
import { WORKLOADS } from "../src/workload/all-workloads.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "quorumlog-suite-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const IDENTITY = { timeLimitS: 20, nodeCount: 3, seed: 1, rate: null, net: "proxy" };
const STEP = { fault: "kill", workloads: ["append", "queue"] };
const PLAN: SuitePlan = {
  faults: ["kill", "nameservers-down"],
  workloads: ["append", "queue"],
  steps: [STEP, { fault: "nameservers-down", workloads: ["queue"] }],
  leftOut: [{ workload: "append", fault: "nameservers-down", reason: "needs NameServers" }],
};
const CELL: SuiteCell = {
  workload: "append",
  fault: "kill",
  valid: true,
  operations: 900,
  anomalies: 0,
  begun: 4,
  bit: 3,
  gapNs: 0.42e9,
  reasons: [],
  folder: "out/1",
  command: "npm run jepsen -- --seed 8",
};

test("every workload is run under every fault, but for those that are not possible", () => {
  const faults = allFaults();
  const plan = planSuite(WORKLOADS, faults, { nodeCount: 3, linkLacks: {} });

  const cells = plan.steps.flatMap(({ fault, workloads }) =>
    workloads.map((workload) => `${workload} ${fault}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(cells.length + plan.leftOut.length).toBe(WORKLOADS.length * faults.length);
  expect(plan.leftOut).toContainEqual({
    workload: "append",
    fault: "nameservers-down",
    reason: "needs NameServers",
  });
  expect(plan.leftOut.filter(({ fault }) => fault === "partition-ring")).toHaveLength(
    WORKLOADS.length,
  );
  expect(
    planSuite(WORKLOADS, faults, { nodeCount: 5, linkLacks: {} }).leftOut.map(({ fault }) => fault),
  ).not.toContain("partition-ring");
});

test("what was done is not done again, unless all of it was, or the options are others", () => {
  const first = new SuiteState(folder, IDENTITY);
  first.add([CELL]);
  expect(first.isDone(STEP)).toBe(false);
  first.add([{ ...CELL, workload: "queue" }]);

  const second = new SuiteState(folder, IDENTITY);

  expect(second.isDone(STEP)).toBe(true);
  expect(() => new SuiteState(folder, { ...IDENTITY, seed: 2 })).toThrow(
    /of a suite with .*"seed":1.* that was cut/u,
  );
  writeFileSync(join(folder, "old"), "");
  second.complete();
  expect(new SuiteState(folder, IDENTITY).cells).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
});

test("a cell has what concerns it, of a run of several", () => {
  const workload: WorkloadRecord = {
    name: "append",
    kind: "log",
    valid: true,
    clientCount: 2,
    nodeIds: [1],
    operations: { ok: 5, fail: 2, info: 1 },
    counts: {},
    anomalies: [],
    anomalyCount: 0,
    unknown: [],
  };
  const record = {
    command: "again",
    verdict: { valid: false, summary: "", reasons: ["queue: 2 anomalies: lost"] },
    workloads: [workload, { ...workload, name: "queue", valid: false, anomalyCount: 2 }],
    coverage: [{ workload: "append", fault: "kill", begun: 2, bit: 1, needed: 1, evidence: "" }],
    gaps: [{ workload: "append", fault: "kill", faultId: 0, duringNs: 7, afterNs: 9 }],
  } as unknown as RunRecord;

  const [append, queue] = cellsOf(record, "kill", "out/1");

  expect(append).toMatchObject({ valid: true, operations: 8, begun: 2, bit: 1, gapNs: 7 });
  expect(append?.reasons).toEqual([]);
  expect(queue).toMatchObject({
    valid: false,
    anomalies: 2,
    reasons: ["queue: 2 anomalies: lost"],
  });
});

test("the matrix is a table with a reason for whatever is not well", () => {
  const bad = { ...CELL, workload: "queue", valid: false, anomalies: 2, reasons: ["queue: lost"] };

  const text = matrixText(PLAN, [CELL, bad]);

  expect(text.split("\n")).toEqual([
    "| fault            | append    | queue               |",
    "| ---------------- | --------- | ------------------- |",
    "| kill             | 3x, 0.4 s | NOT VALID 3x, 0.4 s |",
    "| nameservers-down | left out  | not run             |",
    "",
    "A cell: how often the fault had an effect, and the longest time without a write meanwhile.",
    "Left out: nameservers-down needs NameServers: append.",
    "queue under kill: queue: lost",
    "  out/1",
    "  npm run jepsen -- --seed 8",
    "",
    "2 of 3 cells: 1 valid, 1 not valid, 0 unknown; 2 anomalies in 1800 operations under 8 " +
      "faults; 1 left out",
  ]);
});
