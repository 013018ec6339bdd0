/** The whole command: find scripts, replay them, report, or record. */

import { exitCodeOf, FlagError } from "@quorumlog/std";
import { writeFileSync } from "node:fs";
import { lineDifference } from "./difference.ts";
import { findScripts, isInProject, readScript, type ScriptFile, shownPath } from "./discovery.ts";
import { type Flags, HELP, parseFlags } from "./flags.ts";
import { type Outcome, replay } from "./replay.ts";
import { parseScript, renderScript, type Script, ScriptError } from "./script.ts";

/** Where lines go: the report, and complaints about the command line. */
export interface Console {
  print(line: string): void;
  complain(line: string): void;
}

interface Tally {
  directives: number;
  /** Tier A: log lines included. */
  equal: number;
  /** Tier B: log lines left out. */
  passed: number;
  failed: number;
}

/** @returns the exit code of the process. */
export function runConformance(argv: readonly string[], console: Console): Promise<number> {
  return exitCodeOf(
    () => runFlags(parseFlags(argv), console),
    (line) => {
      console.complain(line);
    },
  );
}

function runFlags(flags: Flags, console: Console): number {
  if (flags.isHelp) {
    console.print(HELP.trimEnd());
    return 0;
  }
  const files = findScripts(flags.folders).filter(({ path }) => path.includes(flags.filter));
  if (flags.isRewrite) refuseStrangers(files);
  const tally: Tally = { directives: 0, equal: 0, passed: 0, failed: 0 };
  for (const file of files) runFile(file, flags, console, tally);
  if (tally.directives === 0) console.print("no directive was found");
  const { directives, equal, passed, failed } = tally;
  console.print(`${files.length} scripts, ${directives} directives`);
  console.print(`tier A (log lines included): ${equal} equal, ${directives - equal} differ`);
  console.print(`tier B (log lines left out): ${passed} equal, ${directives - passed} differ`);
  console.print(`${passed} passed, ${failed} failed`);
  return failed > 0 || directives === 0 ? 1 : 0;
}

function refuseStrangers(files: readonly ScriptFile[]): void {
  const stranger = files.find((file) => !isInProject(file));
  if (stranger !== undefined)
    throw new FlagError([`--rewrite refuses ${stranger.path}, which is not the project's`]);
}

function runFile(file: ScriptFile, flags: Flags, console: Console, tally: Tally): void {
  const path = shownPath(file);
  try {
    let script = parseScript(readScript(file));
    let outcomes = replay(script, file.grammar);
    if (flags.isRewrite && record(file, script, outcomes)) {
      console.print(`recorded ${path}`);
      script = parseScript(readScript(file));
      // Played once more: what was recorded must come out again.
      outcomes = replay(script, file.grammar);
    }
    for (const outcome of outcomes) count(outcome, tally);
    for (const outcome of outcomes)
      if (!outcome.isEqualWithoutLog || (flags.isStrict && !outcome.isEqual))
        report(path, outcome, console);
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    tally.failed += 1;
    console.print(`${path}: ${error.message}`);
  }
}

/** Returns whether the file changed. A panic is not recorded: it stays a failure. */
function record(file: ScriptFile, script: Script, outcomes: readonly Outcome[]): boolean {
  if (outcomes.every(({ isEqual }) => isEqual)) return false;
  if (outcomes.some(({ isPanic }) => isPanic)) return false;
  const outputs = outcomes.map(({ actual }) => actual);
  writeFileSync(file.path, renderScript(script, outputs));
  return true;
}

function count(outcome: Outcome, tally: Tally): void {
  tally.directives += 1;
  if (outcome.isEqual) tally.equal += 1;
  if (outcome.isEqualWithoutLog) tally.passed += 1;
  else tally.failed += 1;
}

function report(path: string, outcome: Outcome, console: Console): void {
  const { directive, actual, isEqualWithoutLog } = outcome;
  const note = isEqualWithoutLog ? " (log lines only)" : "";
  console.print(`${path}:${directive.line}: ${directive.text}${note}`);
  for (const line of lineDifference(directive.expected, actual)) console.print(`    ${line}`);
  console.print("");
}
