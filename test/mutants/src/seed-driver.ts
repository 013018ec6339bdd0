/**
 * Runs seeds in a process of its own, and tells of each *before* it starts: so it is known which
 * one a bug has hung or killed.
 *
 *     {"seed":1}
 *     {"seed":2}
 *     {"seed":2,"invariant":"Election Safety"}
 */

import { writeSync } from "node:fs";
import { runSeed as runReplicas } from "@quorumlog/cluster-simulation";
import { runSeed as runCores } from "@quorumlog/simulation";
import type { SimulatorName } from "./place.ts";
import type { SeedRange } from "./stage.ts";

/** What a driver got to. */
export interface SeedReport {
  /** The seed that failed, or that was running when the driver died; `undefined`: none was. */
  readonly seed: number | undefined;
  /** Which invariant broke; `undefined` if none did. */
  readonly invariant: string | undefined;
}

const STDOUT = 1;

/** The program of a process that runs seeds of a simulator. */
export function driverProgram(simulator: SimulatorName, { from, to }: SeedRange): string {
  const call = `driveSeeds("${simulator}", { from: ${from}, to: ${to} })`;
  return `import { driveSeeds } from "@quorumlog/mutants"; ${call};`;
}

/** Runs seeds until one fails; the exit code says whether one did. */
export function driveSeeds(simulator: SimulatorName, { from, to }: SeedRange): void {
  const runSeed = simulator === "cluster" ? runReplicas : runCores;
  for (let seed = from; seed < to; seed++) {
    tell({ seed });
    const { failure } = runSeed(seed);
    if (failure === undefined) continue;
    tell({ seed, invariant: failure.invariant });
    process.exitCode = 1;
    return;
  }
}

/** At once, and whole: nothing may be lost with the process. */
function tell(line: { seed: number; invariant?: string }): void {
  writeSync(STDOUT, `${JSON.stringify(line)}\n`);
}

/** Reads what a driver has written. */
export function readSeedReport(output: string): SeedReport {
  const last = output.split("\n").findLast((line) => /^\{"seed":\d+.*\}$/.test(line));
  if (last === undefined) return { seed: undefined, invariant: undefined };
  const { seed, invariant } = JSON.parse(last) as { seed: number; invariant?: string };
  return { seed, invariant };
}
