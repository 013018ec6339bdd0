// Goal: a saved history is checked as its workload is, and the exit code tells what came of it.
// Method: small histories by hand, as files.

import { FlagError } from "@quorumlog/std";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { toJsonLine } from "../src/history/history-file.ts";
import { checkSavedHistory } from "../src/run/saved-history.ts";
import { eventsOf, type Line } from "./kit/lines.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "quorumlog-check-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function check(name: string, text: string, workload?: string): { code: number; said: string } {
  const file = join(folder, name);
  writeFileSync(file, text);
  const lines: string[] = [];
  const code = checkSavedHistory(file, workload, (line) => lines.push(line));
  return { code, said: lines.join("\n") };
}

const text = (...lines: readonly Line[]): string =>
  eventsOf(lines)
    .map((event) => toJsonLine(event))
    .join("\n");

const APPENDED: readonly Line[] = [
  [0, "invoke", "append", 7],
  [0, "ok", "append", [7, 0]],
];

test("a valid one is told so, by the workload that its name says", () => {
  const history = text(...APPENDED, [1, "invoke", "read", 0], [1, "ok", "read", [0, [7], 1]]);

  const { code, said } = check("history-append.jsonl", history);

  expect(code).toBe(0);
  expect(said).toMatch(/^append: .*acknowledged 1.*\nvalid: 0 anomalies$/u);
});

test("an anomaly is told with its events", () => {
  const history = text(...APPENDED, [1, "invoke", "read", 0], [1, "ok", "read", [0, [], 0]]);

  const { code, said } = check("mine.txt", history, "append");

  expect(code).toBe(1);
  expect(said).toMatch(/ANOMALY [a-z-]+: .*\(events [\d, ]+\)\nnot valid: 1 anomalies$/u);
});

test("what is no history, or of nobody knows which workload, is refused", () => {
  expect(() => check("mine.txt", text(...APPENDED))).toThrow("so --workload has to");
  expect(() => check("history-append.jsonl", "{}")).toThrow(/line 1: "index" should be/u);
  expect(() => check("history-register.jsonl", text(...APPENDED))).toThrow(FlagError);
  expect(() => check("history-nothing.jsonl", "")).toThrow('no workload "nothing"');
  expect(() => checkSavedHistory(join(folder, "none"), "append", () => undefined)).toThrow(
    "ENOENT",
  );
});
