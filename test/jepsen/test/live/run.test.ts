// Goal: a run leaves a folder with all that was seen, whether it came to its end or was cut; and
// nothing of it is left running.
// Method: the command, short, on real processes.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@quorumlog/integration/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RunFolder } from "../../src/run/run-folder.ts";
import { beginCommand, type JepsenCommand, processesOf } from "../kit/jepsen-command.ts";

const PATIENCE_MS = 120_000;
const TEST_MS = 300_000;

let out = "";

beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "quorumlog-jepsen-run-"));
});

afterEach(() => {
  rmSync(out, { recursive: true, force: true });
});

function start(...args: readonly string[]): JepsenCommand {
  return beginCommand(out, args);
}

function folderOf(): RunFolder {
  const [name = ""] = readdirSync(out);
  return new RunFolder(join(out, name));
}

test("a run ends with its verdict, and leaves what it is from", { timeout: TEST_MS }, async () => {
  const args = ["--workload", "append", "--nemesis", "kill-leader", "--time-limit", "8"];
  const { said, exitCode } = start(...args, "--seed", "3", "--rate", "100");

  expect([await exitCode, said()]).toEqual([0, expect.stringContaining("VALID: No anomaly in")]);

  const folder = folderOf();
  const { path, record, faults, nodes } = folder;
  expect(record.verdict).toMatchObject({ valid: true, reasons: [] });
  expect(record.command).toContain("--workload append --nemesis kill-leader --time-limit 8");
  expect(record.phases.map(({ name }) => name)).toEqual([
    "start",
    "faults",
    "recovery and final reads",
    "stop",
    "check",
  ]);
  expect(record.workloads[0]?.operations.ok).toBeGreaterThan(20);
  expect(record.workloads[0]?.counts["replicasCompared"]).toBe(3);
  expect(record.coverage.every(({ bit }) => bit > 0)).toBe(true);
  expect(record.gaps).toHaveLength(faults.filter(({ type }) => type === "begin").length);
  expect(nodes.some(({ role }) => role === "leader")).toBe(true);
  expect(folder.history("append").length).toBeGreaterThan(40);
  expect(readFileSync(join(path, "report.html"), "utf8")).toContain("No anomaly in");
  expect(existsSync(join(path, "data", "append"))).toBe(false);
});

test("a run that is cut leaves what it has seen by then", { timeout: TEST_MS }, async () => {
  const { child, said, exitCode } = start("--workload", "append", "--time-limit", "600");
  await until("operations are told", PATIENCE_MS, () =>
    /append [1-9]\d*:/u.test(said()) ? true : undefined,
  );

  child.kill("SIGINT");

  expect(await exitCode, said()).toBe(130);
  const folder = folderOf();
  const { record } = folder;
  expect(record.verdict).toMatchObject({ valid: "unknown" });
  expect(record.verdict.reasons[0]).toBe("the run was cut");
  expect(folder.history("append").length).toBeGreaterThan(0);
  await until("its processes are gone", PATIENCE_MS, () =>
    processesOf(out).length === 0 ? true : undefined,
  );
});

test("wrong flags are all told, and nothing is started", { timeout: TEST_MS }, async () => {
  const { said, exitCode } = start("--workload", "nothing", "--time-limit", "1", "--bad");

  expect(await exitCode).toBe(2);
  expect(said()).toMatch(/--bad\n.*--time-limit: "1" is not.*\n.*"nothing" is none of/u);
  expect(readdirSync(out)).toEqual([]);
});
