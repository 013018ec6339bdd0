/** Checks a history that was saved, by this suite or by anybody. */

import { FlagError } from "@quorumlog/std";
import { basename } from "node:path";
import { readHistory } from "../history/history-reader.ts";
import { HistoryError } from "../history/operations.ts";
import { workloadNamed } from "../workload/all-workloads.ts";
import type { WorkloadVerdict } from "../workload/workload.ts";
import { exitCodeOfValidity } from "./run-verdict.ts";

/** Of each kind of anomaly; the file has the others, too. */
const SHOWN_MAX = 10;

/**
 * @param workload - `undefined`: as the file is named, `history-<workload>.jsonl`.
 * @param print - Takes a line.
 * @returns the exit code of the process.
 * @throws FlagError if the file is not there, or is no history of that workload
 */
export function checkSavedHistory(
  file: string,
  workload: string | undefined,
  print: (line: string) => void,
): number {
  const name = workload ?? /^history-(?<name>.+)\.jsonl$/u.exec(basename(file))?.groups?.["name"];
  if (name === undefined)
    throw new FlagError([`--check: ${file} does not name its workload, so --workload has to`]);
  const verdict = checked(file, name);
  const words = Object.entries(verdict.counts).map(([what, count]) => `${what} ${count}`);
  print(`${name}: ${words.join(", ")}`);
  for (const line of linesOf(verdict)) print(line);
  const said = { true: "valid", false: "not valid", unknown: "unknown" }[String(verdict.valid)];
  print(`${said}: ${verdict.anomalies.length} anomalies`);
  return exitCodeOfValidity(verdict.valid);
}

function checked(file: string, name: string): WorkloadVerdict {
  try {
    const workload = workloadNamed(name);
    return workload.check(readHistory(file));
  } catch (error) {
    const isTold = error instanceof HistoryError || error instanceof RangeError || isOfFile(error);
    if (!isTold) throw error;
    throw new FlagError([`--check ${file}: ${error.message}`]);
  }
}

function isOfFile(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}

function linesOf({ anomalies, unknown }: WorkloadVerdict): string[] {
  const lines = unknown.map((why) => `UNKNOWN ${why}`);
  const counts = new Map<string, number>();
  for (const { kind, message, events } of anomalies) {
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    if (count <= SHOWN_MAX) lines.push(`ANOMALY ${kind}: ${message} (events ${events.join(", ")})`);
  }
  for (const [kind, count] of counts)
    if (count > SHOWN_MAX) lines.push(`ANOMALY ${kind}: and ${count - SHOWN_MAX} more`);
  return lines;
}
