/** The whole command: choose the bugs, try each, report. */

import { exitCodeOf, FlagError } from "@quorumlog/std";
import { rmSync } from "node:fs";
import { type Bug, foreignBug, plantedBugs } from "./bug.ts";
import { type Flags, HELP, parseFlags } from "./flags.ts";
import { parsePatch, PatchError } from "./patch.ts";
import { type Place, PLACES, simulatorsFor, sourcesOf } from "./place.ts";
import {
  failureJson,
  listJson,
  listLines,
  progressLine,
  reportJson,
  reportLines,
  tallyOf,
} from "./report.ts";
import { inShard } from "./shard.ts";
import { hasUnitTests } from "./stage.ts";
import { Laboratory, type Outcome } from "./trial.ts";
import { makeParentFolder, Workspace, WorkspaceError } from "./workspace.ts";

/** Where lines go: the report, and all else. */
export interface Console {
  print(line: string): void;
  complain(line: string): void;
}

/** Of a full run, a simulator alone must catch at least this share of what simulators run. */
const SIMULATOR_SHARE = 2 / 3;

/** @returns the exit code of the process. */
export function runMutants(argv: readonly string[], console: Console): Promise<number> {
  return exitCodeOf(
    () => runFlags(parseFlags(argv), console),
    (line) => {
      console.complain(line);
    },
  );
}

async function runFlags(flags: Flags, console: Console): Promise<number> {
  if (flags.isHelp) {
    console.print(HELP.trimEnd());
    return 0;
  }
  const bugs = chosenBugs(flags);
  if (!flags.isList) return runBugs(bugs, flags, console);
  const lines = flags.isJson ? [listJson(bugs)] : listLines(bugs);
  for (const line of lines) console.print(line);
  return 0;
}

function chosenBugs(flags: Flags): Bug[] {
  const all = allBugs(flags);
  const { only } = flags;
  const wanted = all.filter(
    ({ name }) => only.length === 0 || only.some((text) => name.includes(text)),
  );
  if (wanted.length === 0) throw new FlagError(["no bug has such a name"]);
  const share = inShard(wanted, flags.shard);
  const { number, count } = flags.shard;
  if (share.length === 0) throw new FlagError([`--shard: ${number}/${count} leaves no bug`]);
  return share;
}

/** @throws FlagError if a file is no patch, or cannot be read */
function allBugs({ patches }: Flags): Bug[] {
  try {
    return patches.length > 0 ? patches.map(foreignBug) : plantedBugs();
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    throw new FlagError([error.message]);
  }
}

async function runBugs(bugs: readonly Bug[], flags: Flags, console: Console): Promise<number> {
  const startedAt = process.hrtime.bigint();
  const parent = makeParentFolder();
  const clean = (): void => {
    if (!flags.keepsCopies) rmSync(parent, { recursive: true, force: true });
  };
  process.once("exit", clean);
  const tell = (line: string): void => {
    if (flags.isJson) console.complain(line);
    else console.print(line);
  };
  try {
    const template = await Workspace.template(parent);
    if (!flags.isSimulatorOnly && !hasUnitTests(template.folder))
      throw new WorkspaceError("a package has no unit tests to ask");
    if (flags.keepsCopies) tell(`copies are kept in ${parent}`);
    const outcomes = await tryAll(bugs, { flags, parent, template, tell });
    const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
    return report(outcomes, { flags, seconds, console, tell });
  } catch (error) {
    if (!(error instanceof WorkspaceError)) throw error;
    console.complain(error.message);
    if (flags.isJson) console.print(failureJson(bugs, error.message));
    tell(`0 passed, ${bugs.length} failed`);
    return 1;
  } finally {
    process.off("exit", clean);
    clean();
  }
}

interface Run {
  readonly flags: Flags;
  readonly parent: string;
  readonly template: Workspace;
  readonly tell: (line: string) => void;
}

/** Tries as many at a time as there are jobs; the outcomes are in the order of the bugs. */
async function tryAll(bugs: readonly Bug[], run: Run): Promise<Outcome[]> {
  const { flags, parent, template, tell } = run;
  const { isSimulatorOnly, keepsCopies, firstSeed, seedCounts } = flags;
  const seeds = {
    simulator: { from: firstSeed, to: firstSeed + seedCounts.simulator },
    cluster: { from: firstSeed, to: firstSeed + seedCounts.cluster },
  };
  // One bug alone has all cores to itself.
  const simulators = Math.max(1, Math.floor(flags.jobs / bugs.length));
  const options = { firstSeed, seeds, simulators, isSimulatorOnly, keepsCopies };
  const laboratory = new Laboratory({ parent, template, options });
  const outcomes: Outcome[] = [];
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    for (;;) {
      const at = next;
      const bug = bugs[at];
      if (bug === undefined) return;
      next += 1;
      const outcome = await laboratory.try(bug);
      outcomes[at] = outcome;
      done += 1;
      tell(progressLine(outcome, { done, all: bugs.length }));
    }
  };
  await Promise.all(Array.from({ length: flags.jobs }, work));
  return outcomes;
}

/** Of bugs that a simulator runs at all. */
function simulatedCount(outcomes: readonly Outcome[]): number {
  return outcomes.filter(({ bug }) => {
    const paths = parsePatch(bug.patch).map(({ newPath, oldPath = "" }) => newPath ?? oldPath);
    return simulatorsFor(PLACES.filter((place) => isIn(paths, place))).length > 0;
  }).length;
}

function isIn(paths: readonly string[], place: Place): boolean {
  return paths.some((path) => path.includes(sourcesOf(place)));
}

function report(
  outcomes: readonly Outcome[],
  run: { flags: Flags; seconds: number; console: Console; tell: (line: string) => void },
): number {
  const { flags, seconds, console, tell } = run;
  const { passed, failed, bySimulator } = tallyOf(outcomes);
  if (flags.isJson) console.print(reportJson(outcomes, seconds));
  else for (const line of ["", ...reportLines(outcomes, seconds)]) console.print(line);
  const isFull = flags.patches.length === 0 && flags.only.length === 0 && flags.shard.count === 1;
  const isShort = isFull && bySimulator < simulatedCount(outcomes) * SIMULATOR_SHARE;
  if (isShort) tell("FAILED: the simulators alone have to catch two thirds of them");
  tell(`${passed} passed, ${failed} failed`);
  return failed > 0 || isShort ? 1 : 0;
}
