// Goal: what a run has written is read back; what is no folder of a run is refused by name and
// line.
// Method: a folder drawn by a seed, whole, without files, and with lines that are wrong.

import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { operationsOf } from "../src/history/operations.ts";
import { RunFolderError } from "../src/run/line-shape.ts";
import { RunFolder } from "../src/run/run-folder.ts";
import { writeSeededRun } from "./kit/seeded-run.ts";

let path = "";

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "quorumlog-run-folder-"));
  writeSeededRun(path, { seed: 5, operations: 240, isValid: false });
});

afterEach(() => {
  rmSync(path, { recursive: true, force: true });
});

test("all of a run is read back", () => {
  const folder = new RunFolder(path);

  expect(folder.record.workloads.map(({ name }) => name)).toEqual(["append", "queue", "register"]);
  expect(folder.faults.filter(({ type }) => type === "begin").length).toBeGreaterThan(20);
  expect(folder.nodes.some(({ role }) => role === "leader")).toBe(true);
  expect(operationsOf(folder.history("queue"))).toHaveLength(240);
  const edn = readFileSync(join(path, "history-queue.edn"), "utf8");
  expect(edn.split("\n")[0]).toMatch(/^\{:index 0, :time \d+, :type :invoke/u);
});

test("what is no folder of a run is refused", () => {
  expect(() => new RunFolder(join(path, "elsewhere"))).toThrow("there is no run.json");
  writeFileSync(join(path, "run.json"), "{");
  expect(() => new RunFolder(path)).toThrow("run.json: this is no JSON");
  writeFileSync(join(path, "run.json"), '{"formatVersion": 2, "seed": -1}');
  expect(() => new RunFolder(path)).toThrow(RunFolderError);
  expect(() => new RunFolder(path)).toThrow(
    /"formatVersion" should be 1, "verdict" should be an object.*"seed" should be a number/u,
  );
});

test("a line that is wrong is told with its number and its field", () => {
  const lines = readFileSync(join(path, "faults.jsonl"), "utf8").split("\n").length;
  appendFileSync(join(path, "faults.jsonl"), '{"timeNs": 1, "type": "middle"}\n');

  expect(() => new RunFolder(path)).toThrow(
    new RegExp(`faults.jsonl: line ${lines}: "type" should be "begin" or "end", "id"`, "u"),
  );
});
