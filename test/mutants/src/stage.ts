/** The tests that are to notice a bug, each run in a copy of the project. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { StageName } from "./bug.ts";
import { type Finished, runNode } from "./command.ts";
import { type Place, PLACES, type SimulatorName } from "./place.ts";
import { driverProgram, readSeedReport } from "./seed-driver.ts";

/** What a stage noticed. */
export interface Finding {
  readonly stage: StageName;
  /** The check that failed, in a few words. */
  readonly detail: string;
  /** Simulators only: the seed that fails; `undefined` if it did not get as far as a seed. */
  readonly seed: number | undefined;
  /**
   * Whether it is sure to come again: an invariant that broke under a seed is. A process that died,
   * hung or ran into a time-out may have had a reason outside of the trial.
   */
  readonly isCertain: boolean;
}

/** Half-open: `[from, to)`. */
export interface SeedRange {
  readonly from: number;
  readonly to: number;
}

/** A seed takes less than a second, of whole replicas a few at most. */
const SEED_SECONDS = 60;
const CONFORMANCE_SECONDS = 120;
const UNIT_SECONDS = 150;

/** It compiles the sources, so an error of type alone, which nothing runs into, would fail it. */
const COMPILING_TEST = "packages/raft/test/readme.test.ts";

const DETAIL_LENGTH_MAX = 60;

/** @returns `undefined` if no seed of the range fails. */
export async function simulate(
  folder: string,
  simulator: SimulatorName,
  range: SeedRange,
): Promise<Finding | undefined> {
  const program = driverProgram(simulator, range);
  const result = await runNode(["--input-type=module", "--eval", program], {
    cwd: folder,
    silenceSeconds: SEED_SECONDS,
  });
  if (result.exitCode === 0) return undefined;
  const { seed, invariant } = readSeedReport(result.stdout);
  const detail = short(invariant ?? ending(result));
  return { stage: simulator, detail, seed, isCertain: invariant !== undefined };
}

/** @returns `undefined` if all of the project's scenarios come out as recorded. */
export async function replayScenarios(folder: string): Promise<Finding | undefined> {
  const argv = ["test/conformance/dist/cli.js"];
  const result = await runNode(argv, { cwd: folder, silenceSeconds: CONFORMANCE_SECONDS });
  if (result.exitCode === 0) return undefined;
  const place = /([\w-]+\.txt:\d+): /.exec(result.stdout)?.[1];
  const detail = short(place ?? ending(result));
  return { stage: "conformance", detail, seed: undefined, isCertain: false };
}

/** @returns `undefined` if all unit tests of the packages pass. */
export async function runUnitTests(
  folder: string,
  places: readonly Place[],
): Promise<Finding | undefined> {
  const argv = ["node_modules/vitest/vitest.mjs", "run", "--maxWorkers", "1", "--bail", "1"];
  const result = await runNode([...argv, "--exclude", COMPILING_TEST, ...places.map(testsOf)], {
    cwd: folder,
    silenceSeconds: UNIT_SECONDS,
  });
  if (result.exitCode === 0) return undefined;
  const failed = /FAIL\s+(?:.*\/)?([\w-]+)\.test\.ts(?: > (.*))?/.exec(
    result.stderr + result.stdout,
  );
  const detail = failed === null ? ending(result) : (failed[2] ?? failed[1] ?? "");
  return { stage: "unit", detail: short(detail), seed: undefined, isCertain: false };
}

/** Whether there are unit tests of each package: none would notice nothing. */
export function hasUnitTests(folder: string): boolean {
  return PLACES.every((place) => {
    const names = readdirSync(join(folder, testsOf(place)), { recursive: true });
    return names.some((name) => String(name).endsWith(".test.ts"));
  });
}

function testsOf(place: Place): string {
  return `packages/${place}/test`;
}

/** For a process that ended without a report: what ended it, or else the last thing it said. */
export function ending(result: Finished): string {
  if (result.isOverdue) return "hang";
  if (result.signal !== undefined) return `killed by ${result.signal}`;
  const lines = `${result.stdout}\n${result.stderr}`
    .split("\n")
    .filter((line) => line.trim() !== "");
  const error = lines.find((line) => /^\s*(?:\w*Error|InvariantViolation)\b/.test(line));
  return error ?? lines.at(-1) ?? `exit code ${result.exitCode}`;
}

function short(text: string): string {
  const line = text.trim().split("\n")[0] ?? "";
  return line.length <= DETAIL_LENGTH_MAX ? line : `${line.slice(0, DETAIL_LENGTH_MAX - 3)}...`;
}
