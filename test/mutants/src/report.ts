/** What is printed: a line as each trial ends, and a table when all have. */

import type { Bug, StageName } from "./bug.ts";
import { SIMULATORS } from "./place.ts";
import type { Outcome } from "./trial.ts";

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly bySimulator: number;
}

export function tallyOf(outcomes: readonly Outcome[]): Tally {
  const caught = outcomes.filter(({ verdict }) => verdict === "caught");
  return {
    passed: caught.length,
    failed: outcomes.length - caught.length,
    bySimulator: caught.filter(({ stage }) => isSimulator(stage)).length,
  };
}

export function progressLine(outcome: Outcome, count: { done: number; all: number }): string {
  const at = `[${String(count.done).padStart(String(count.all).length)}/${count.all}]`;
  const { bug, verdict, seconds, detail } = outcome;
  const told = verdict === "caught" ? `${caughtBy(outcome)}: ${detail}` : wordFor(outcome);
  return `${at} ${bug.name}: ${told} (${seconds.toFixed(1)} s)`;
}

/** The table, the lines that sum it up, and whatever has to be said at length. */
export function reportLines(outcomes: readonly Outcome[], seconds: number): string[] {
  const rows = outcomes.map((outcome) => [
    outcome.bug.name,
    outcome.bug.rows.join(", "),
    outcome.verdict === "caught" ? caughtBy(outcome) : outcome.verdict.toUpperCase(),
    outcome.seedsNeeded === undefined ? "" : String(outcome.seedsNeeded),
    outcome.verdict === "caught" ? outcome.detail : "",
    outcome.seconds.toFixed(1),
  ]);
  const heads = ["bug", "row", "caught by", "seeds needed", "check", "seconds"];
  const { passed, bySimulator } = tallyOf(outcomes);
  const stories = outcomes
    .filter(({ verdict, detail }) => verdict !== "caught" && detail !== "")
    .map(({ bug, detail }) => `${bug.name}: ${detail}`);
  return [
    ...tableLines(heads, rows),
    "",
    ...stories,
    ...(stories.length > 0 ? [""] : []),
    `${outcomes.length} bugs in ${Math.round(seconds)} s, ${passed} caught`,
    `caught by a simulator alone: ${bySimulator} of ${outcomes.length}`,
  ];
}

export function listLines(bugs: readonly Bug[]): string[] {
  const rows = bugs.map(({ name, rows: list, expected, title }) => [
    name,
    list.join(", "),
    expected ?? "",
    title,
  ]);
  return tableLines(["bug", "row", "expected", "what is wrong"], rows);
}

/** @returns the list as one document. */
export function listJson(bugs: readonly Bug[]): string {
  return JSON.stringify({ bugs: bugs.map(withoutPatch) }, undefined, 2);
}

/** @returns the document of a run that ended before its first trial. */
export function failureJson(bugs: readonly Bug[], error: string): string {
  const tally: Tally = { passed: 0, failed: bugs.length, bySimulator: 0 };
  return JSON.stringify({ ...tally, error, bugs: bugs.map(withoutPatch) }, undefined, 2);
}

/** @returns one document with everything that the table says. */
export function reportJson(outcomes: readonly Outcome[], seconds: number): string {
  const bugs = outcomes.map(({ bug, ...rest }) => ({
    ...withoutPatch(bug),
    ...rest,
  }));
  return JSON.stringify({ ...tallyOf(outcomes), seconds, bugs }, undefined, 2);
}

function withoutPatch({ name, title, rows, expected }: Bug): Omit<Bug, "patch"> {
  return { name, title, rows, expected };
}

function caughtBy({ bug, stage }: Outcome): string {
  const isLate = isSimulator(bug.expected) && !isSimulator(stage);
  return `${stage}${isLate ? " (not the simulator)" : ""}`;
}

function isSimulator(stage: StageName | undefined): boolean {
  return SIMULATORS.some((name) => name === stage);
}

function wordFor({ verdict, detail }: Outcome): string {
  const firstLine = detail.split("\n")[0] ?? "";
  return verdict === "survived" ? "SURVIVED" : `BROKEN: ${firstLine}`;
}

function tableLines(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return [line(heads), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)];
}
