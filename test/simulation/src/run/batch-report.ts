/** Adds up the results of many seeds, and says what came of them. */

import { missingPaths, RARE_PATH_SEED_COUNT, RARE_PATHS } from "./rare-paths.ts";
import type { SeedFailure, SeedResult } from "./seed-run.ts";

export interface FailedSeed {
  readonly seed: number;
  readonly failure: SeedFailure;
  /** The one command that shows it again. */
  readonly replay: string;
}

export interface BatchSummary {
  /** How many seeds failed. */
  readonly violations: number;
  readonly failures: readonly FailedSeed[];
  readonly seeds: number;
  readonly steps: number;
  /** Of every seed's own: the same for the same seeds, in whatever order they ran. */
  readonly hash: string;
  readonly realSeconds: number;
  /** Per seed. */
  readonly means: {
    readonly virtualSeconds: number;
    readonly operations: number;
    readonly reads: number;
    readonly ambiguous: number;
    readonly refused: number;
    readonly committed: number;
    readonly faults: number;
    readonly elections: number;
    readonly steps: number;
  };
  readonly faults: Readonly<Record<string, number>>;
  /** How often each rare path was taken, and on how many seeds. */
  readonly rarePaths: Readonly<Record<string, { readonly times: number; readonly seeds: number }>>;
  /** Listed paths that were never taken. */
  readonly missingPaths: readonly string[];
  readonly isFailure: boolean;
}

export class BatchReport {
  readonly #failures: FailedSeed[] = [];
  readonly #faults: Record<string, number> = {};
  readonly #marks: Record<string, number> = {};
  readonly #markSeeds: Record<string, number> = {};
  readonly #totals = {
    virtualSeconds: 0,
    operations: 0,
    reads: 0,
    ambiguous: 0,
    refused: 0,
    committed: 0,
    faults: 0,
    elections: 0,
    steps: 0,
  };
  #seeds = 0;
  #hashHigh = 0;
  #hashLow = 0;

  get seedCount(): number {
    return this.#seeds;
  }

  get failures(): readonly FailedSeed[] {
    return this.#failures;
  }

  get steps(): number {
    return this.#totals.steps;
  }

  add(result: SeedResult): void {
    this.#seeds += 1;
    const totals = this.#totals;
    totals.virtualSeconds += result.virtualSeconds;
    totals.operations += result.operations.acknowledged;
    totals.reads += result.operations.reads;
    totals.ambiguous += result.operations.ambiguous;
    totals.refused += result.operations.refused;
    totals.committed += result.committed;
    totals.faults += result.faultCount;
    totals.elections += result.elections;
    totals.steps += result.steps;
    for (const [kind, count] of Object.entries(result.faults)) increase(this.#faults, kind, count);
    for (const [name, count] of Object.entries(result.marks)) {
      increase(this.#marks, name, count);
      increase(this.#markSeeds, name, 1);
    }
    // Added up, so that the order in which workers finish does not matter.
    this.#hashHigh = (this.#hashHigh + Number.parseInt(result.hash.slice(0, 8), 16)) >>> 0;
    this.#hashLow = (this.#hashLow + Number.parseInt(result.hash.slice(8), 16)) >>> 0;
    if (result.failure === undefined) return;
    const { seed, failure } = result;
    this.#failures.push({ seed, failure, replay: replayCommand(seed) });
    this.#failures.sort((a, b) => a.seed - b.seed);
  }

  summary(realSeconds: number): BatchSummary {
    const count = Math.max(1, this.#seeds);
    const totals = Object.entries(this.#totals);
    const means = Object.fromEntries(totals.map(([name, total]) => [name, total / count]));
    const names = [...new Set([...RARE_PATHS, ...Object.keys(this.#marks)])].sort();
    const missing = missingPaths(this.#marks);
    const isCoverageDue = this.#seeds >= RARE_PATH_SEED_COUNT;
    return {
      violations: this.#failures.length,
      failures: this.#failures,
      seeds: this.#seeds,
      steps: this.#totals.steps,
      hash: hex(this.#hashHigh) + hex(this.#hashLow),
      realSeconds,
      means: means as BatchSummary["means"],
      faults: this.#faults,
      rarePaths: Object.fromEntries(
        names.map((name) => [
          name,
          { times: this.#marks[name] ?? 0, seeds: this.#markSeeds[name] ?? 0 },
        ]),
      ),
      missingPaths: missing,
      isFailure: this.#failures.length > 0 || (isCoverageDue && missing.length > 0),
    };
  }
}

/** What broke, where, when, and how to see it again. */
export function describeFailure({ seed, failure, replay }: FailedSeed): string {
  const { invariant, virtualSeconds, nodes, detail, stack } = failure;
  const lines = [
    `VIOLATION of "${invariant}"`,
    `  seed ${seed}, virtual time ${virtualSeconds.toFixed(6)} s, ` +
      `nodes ${nodes.length === 0 ? "-" : nodes.join(" ")}`,
    `  ${detail}`,
  ];
  // An assertion does not say where it stands; a checker does.
  const frames = stack?.split("\n").filter((line) => line.includes("/dist/")) ?? [];
  if (!detail.startsWith(invariant)) lines.push(...frames.slice(0, 6));
  lines.push(`  replay: ${replay}`);
  return lines.join("\n");
}

export function describeSummary(summary: BatchSummary): string {
  const { means, rarePaths, missingPaths: missing } = summary;
  const rows = Object.entries(rarePaths).map(([name, { times, seeds }]) => {
    const isListed = RARE_PATHS.includes(name) ? " " : "+";
    const counts = `${String(times).padStart(9)} in ${String(seeds).padStart(6)} seeds`;
    return `  ${isListed} ${counts}  ${name}`;
  });
  const faults = Object.entries(summary.faults).map(([kind, count]) => `${kind} ${count}`);
  const lines = [
    "rare paths (times taken, seeds that took them; + is not required):",
    ...rows,
    `faults: ${faults.join(", ")}`,
    `means per seed: ${means.virtualSeconds.toFixed(1)} virtual s, ` +
      `${means.operations.toFixed(0)} operations (${means.reads.toFixed(0)} reads), ` +
      `${means.ambiguous.toFixed(1)} ambiguous, ${means.refused.toFixed(1)} refused, ` +
      `${means.committed.toFixed(0)} entries committed, ${means.faults.toFixed(1)} faults, ` +
      `${means.elections.toFixed(1)} elections, ${means.steps.toFixed(0)} steps`,
    `rare paths: ${RARE_PATHS.length - missing.length} of ${RARE_PATHS.length} taken` +
      (missing.length === 0 ? "" : `; never: ${missing.join("; ")}`),
    `seeds: ${summary.seeds}`,
    `steps: ${summary.steps}`,
    `hash: ${summary.hash}`,
    `seconds: ${summary.realSeconds.toFixed(1)}`,
    `violations: ${summary.violations}`,
  ];
  return lines.join("\n");
}

function replayCommand(seed: number): string {
  return `npm run sim -- --seed ${seed}`;
}

function increase(record: Record<string, number>, key: string, by: number): void {
  record[key] = (record[key] ?? 0) + by;
}

function hex(lane: number): string {
  return lane.toString(16).padStart(8, "0");
}
