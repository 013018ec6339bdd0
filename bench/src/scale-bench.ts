/**
 * `npm run bench -- scale`: how cost grows, with messages stored, queues, topics, consumer groups,
 * replicas, message size and broker groups; each step beside the small case, measured in turn.
 */

import { mkdirSync } from "node:fs";
import { drawScale, type ScaleResults } from "./drawings/scale-drawing.ts";
import { OUTCOME_FOLDER, writeOutcome } from "./outcome/outcome.ts";
import { chosenDimensions, chosenSteps, type Dimension, type Setup } from "./scale/dimension.ts";
import { bytesOf, diskSpace, lackOfRoom } from "./scale/disk-room.ts";
import { MeasuredCase, WARMUP_MS } from "./scale/measured-case.ts";
import {
  type CaseFigures,
  type CaseWindow,
  faultsOf,
  type StepResult,
} from "./scale/scale-figures.ts";
import { tableOf } from "./scale/scale-table.ts";

export interface ScaleBenchOptions {
  readonly timeMs: number;
  readonly rounds: number;
  /** Names of dimensions, with commas between them. */
  readonly only: string | undefined;
  /** No step above it. */
  readonly most: number;
  /** Of each dimension, the first ones. */
  readonly steps: number;
  readonly inFlight: number;
  /** Everything is read back; else a sample. */
  readonly readsBack: boolean;
}

interface Run extends ScaleBenchOptions {
  readonly folder: string;
  readonly results: StepResult[];
  /** What was left out, and why. */
  readonly notes: string[];
}

/** @throws if not everything that was acknowledged is stored; the tables are printed before. */
export async function runScaleBench(options: ScaleBenchOptions): Promise<void> {
  const dimensions = chosenDimensions(options.only);
  // An exit ends the servers and removes their folders; a second signal does not cut that short.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => process.exit(1));
  const folder = OUTCOME_FOLDER;
  mkdirSync(folder, { recursive: true });
  const run: Run = { ...options, folder, results: [], notes: [] };
  for (const dimension of dimensions) {
    await measureDimension(run, dimension);
    const results = run.results.filter((result) => result.dimension === dimension.name);
    console.log("");
    for (const line of tableOf(dimension, results)) console.log(line);
  }
  for (const note of run.notes) console.log(`left out: ${note}`);
  const { timeMs, rounds, inFlight, results: steps, notes } = run;
  const results: ScaleResults = { timeMs, rounds, inFlight, notes, steps };
  await writeOutcome({ bench: "scale", results, draw: drawScale });
  if (steps.some(({ big, small }) => faultsOf(big).length + faultsOf(small).length > 0))
    throw new Error("not everything that was acknowledged is stored as it was");
}

async function measureDimension(run: Run, dimension: Dimension): Promise<void> {
  let big: MeasuredCase | undefined;
  try {
    for (const step of chosenSteps(dimension, run)) {
      if (!hasRoom(run, dimension, step)) continue;
      say(dimension, step, "start");
      if (!dimension.isGrown) await big?.stop();
      if (!dimension.isGrown || big === undefined) {
        big = undefined;
        big = await MeasuredCase.start(run.folder, dimension.setupAt(step, run.inFlight));
      }
      run.results.push(await measureStep(run, { dimension, step, big }));
    }
  } finally {
    await big?.stop();
  }
}

interface Step {
  readonly dimension: Dimension;
  readonly step: number;
  readonly big: MeasuredCase;
}

async function measureStep(run: Run, { dimension, step, big }: Step): Promise<StepResult> {
  const { stored } = dimension.setupAt(step, run.inFlight);
  const fillRates = await big.fillTo(stored, (filled) => {
    say(dimension, step, `${filled.toLocaleString("en-US")} filled`);
  });
  const setup = dimension.setupAt(dimension.small, run.inFlight);
  const small = await MeasuredCase.start(run.folder, setup);
  try {
    const windows = { big: [] as CaseWindow[], small: [] as CaseWindow[] };
    for (let round = 0; round < run.rounds; round++) {
      say(dimension, step, `round ${round + 1}/${run.rounds}`);
      // Each goes first as often as the other.
      for (const isBig of round % 2 === 0 ? [false, true] : [true, false])
        if (isBig) windows.big.push(await big.window(run.timeMs, small));
        else windows.small.push(await small.window(run.timeMs, big));
    }
    say(dimension, step, "restart and audit");
    return {
      dimension: dimension.name,
      step,
      fillRates,
      big: await finish(big, windows.big, { run, dimension }),
      small: await finish(small, windows.small, { run, dimension }),
    };
  } finally {
    await small.stop();
  }
}

async function finish(
  measured: MeasuredCase,
  windows: readonly CaseWindow[],
  { run, dimension }: { readonly run: Run; readonly dimension: Dimension },
): Promise<CaseFigures> {
  const anonymousMb = await measured.anonymousMb();
  const restart = dimension.hasRestart ? await measured.restart() : undefined;
  return { windows, anonymousMb, restart, audit: await measured.audit(run.readsBack) };
}

function hasRoom(run: Run, dimension: Dimension, step: number): boolean {
  const seconds = (WARMUP_MS + run.rounds * run.timeMs) / 1_000;
  const there = dimension.isGrown ? run.results.at(-1) : undefined;
  const filled = there?.dimension === dimension.name ? there.step : 0;
  const [big, small] = [step, dimension.small].map((each) =>
    dimension.setupAt(each, run.inFlight),
  ) as [Setup, Setup];
  const left = { ...big, stored: Math.max(0, big.stored - filled) };
  const needed = bytesOf(left, seconds) + bytesOf(small, seconds);
  const lack = lackOfRoom(needed, diskSpace(run.folder));
  if (lack === undefined) return true;
  const note = `${step.toLocaleString("en-US")} ${dimension.unit}: ${lack}`;
  run.notes.push(note);
  process.stderr.write(`left out: ${note}\n`);
  return false;
}

function say({ name }: Dimension, step: number, what: string): void {
  process.stderr.write(`${name} ${step.toLocaleString("en-US")}: ${what}\n`);
}
