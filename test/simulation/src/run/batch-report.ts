/** Adds up the results of many seeds, and says what came of them. */

import { SECOND } from "../engine/event-queue.ts";
import { missingPaths, RARE_PATH_SEED_COUNT, RARE_PATHS } from "./rare-paths.ts";
import type { SeedFailure, SeedResult } from "./seed-run.ts";
import { KNOWN_LIMIT } from "./wedge.ts";

export interface FailedSeed {
  readonly seed: number;
  readonly failure: SeedFailure;
  /** The one command that shows it again. */
  readonly replay: string;
}

/** The same for the same seeds, in whatever order they ran; but for the time it took. */
export interface BatchSummary {
  /** What came of it, in one line that starts with `PASSED` or `FAILED`. */
  readonly verdict: string;
  /** How many failures there are. */
  readonly violations: number;
  readonly failures: readonly FailedSeed[];
  /** How many seeds were run, whether or not there is a result. */
  readonly seeds: number;
  /** How many were to be run. */
  readonly asked: number;
  readonly steps: number;
  /** Of every seed's own. */
  readonly hash: string;
  readonly realSeconds: number;
  /** Per seed that has a result. */
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

/** Failures that no run of a seed can report of itself. */
const LOST = ["the simulator died", "hang"];

/** A core that ends this way often is broken, though each time it is nobody's fault. */
const KNOWN_LIMIT_SHARE_MAX = 0.005;

/** In a verdict; all are in the list of failures. */
const SHOWN_SEED_COUNT_MAX = 10;

export class BatchReport {
  readonly #failures: FailedSeed[] = [];
  readonly #faults: Record<string, number> = {};
  readonly #marks: Record<string, number> = {};
  readonly #markSeeds: Record<string, number> = {};
  readonly #totals = {
    // Whole numbers: unlike seconds, they add up to the same in any order.
    virtualMicros: 0,
    operations: 0,
    reads: 0,
    ambiguous: 0,
    refused: 0,
    committed: 0,
    faults: 0,
    elections: 0,
    steps: 0,
  };
  readonly #seeds = new Set<number>();
  #resultCount = 0;
  #hashHigh = 0;
  #hashLow = 0;

  get seedCount(): number {
    return this.#seeds.size;
  }

  get failures(): readonly FailedSeed[] {
    return this.#failures;
  }

  get steps(): number {
    return this.#totals.steps;
  }

  add(result: SeedResult): void {
    this.#seeds.add(result.seed);
    this.#resultCount += 1;
    const totals = this.#totals;
    totals.virtualMicros += Math.round(result.virtualSeconds * SECOND);
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
    if (result.failure !== undefined) this.addFailure(result.seed, result.failure);
  }

  /** A failure that is not in a result: of a seed that has none, or of two that differ. */
  addFailure(seed: number, failure: SeedFailure): void {
    this.#seeds.add(seed);
    this.#failures.push({ seed, failure, replay: replayCommand(seed) });
    this.#failures.sort((a, b) => a.seed - b.seed);
  }

  /** @param run.asked - How many seeds were to be run; whatever has run, if it is left out. */
  summary(run: { realSeconds: number; asked?: number }): BatchSummary {
    const names = [...new Set([...RARE_PATHS, ...Object.keys(this.#marks)])].sort();
    const missing = missingPaths(this.#marks);
    const { asked = this.#seeds.size, realSeconds } = run;
    const reasons = this.#reasons(asked, missing);
    const isFailure = reasons.length > 0;
    return {
      verdict: isFailure
        ? `FAILED: ${reasons.join("; ")}`
        : `PASSED: ${counted(asked, "seed")}, no violation`,
      violations: this.#failures.length,
      failures: this.#failures,
      seeds: this.#seeds.size,
      asked,
      steps: this.#totals.steps,
      hash: hex(this.#hashHigh) + hex(this.#hashLow),
      realSeconds,
      means: this.#means(),
      faults: Object.fromEntries(Object.entries(this.#faults).sort(byKey)),
      rarePaths: Object.fromEntries(
        names.map((name) => [
          name,
          { times: this.#marks[name] ?? 0, seeds: this.#markSeeds[name] ?? 0 },
        ]),
      ),
      missingPaths: missing,
      isFailure,
    };
  }

  #means(): BatchSummary["means"] {
    const count = Math.max(1, this.#resultCount);
    const { virtualMicros, ...others } = this.#totals;
    const totals = Object.entries({ virtualSeconds: virtualMicros / SECOND, ...others });
    const means = Object.fromEntries(totals.map(([name, total]) => [name, total / count]));
    return means as BatchSummary["means"];
  }

  /** Why the run has failed; none if it has not. */
  #reasons(asked: number, missing: readonly string[]): string[] {
    const reasons: string[] = [];
    const seeds = [...new Set(this.#failures.map(({ seed }) => seed))];
    if (seeds.length > 0) {
      const shown = seeds.slice(0, SHOWN_SEED_COUNT_MAX).join(", ");
      const more = seeds.length > SHOWN_SEED_COUNT_MAX ? ", ..." : "";
      const count = counted(this.#failures.length, "violation");
      reasons.push(`${count}, ${seeds.length > 1 ? "seeds" : "seed"} ${shown}${more}`);
    }
    if (this.#seeds.size !== asked) reasons.push(`${this.#seeds.size} of ${asked} seeds were run`);
    const limited = this.#markSeeds[KNOWN_LIMIT] ?? 0;
    if (limited > Math.max(3, this.#seeds.size * KNOWN_LIMIT_SHARE_MAX))
      reasons.push(`${counted(limited, "seed")} ended in what should be rare: ${KNOWN_LIMIT}`);
    if (this.#seeds.size >= RARE_PATH_SEED_COUNT && missing.length > 0)
      reasons.push(`rare paths never taken: ${missing.join("; ")}`);
    return reasons;
  }
}

/** What broke, where, when, and how to see it again. */
export function describeFailure({ seed, failure, replay }: FailedSeed): string {
  const { invariant, virtualSeconds, nodes, detail, stack } = failure;
  const lines = [
    LOST.includes(invariant) ? `NO RESULT: ${invariant}` : `VIOLATION of "${invariant}"`,
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

/** The summary of a batch, the verdict last. */
export function describeSummary(summary: BatchSummary): string {
  const { rarePaths, missingPaths: missing } = summary;
  const rows = Object.entries(rarePaths).map(([name, { times, seeds }]) => {
    const counts = `${String(times).padStart(9)} in ${String(seeds).padStart(6)} seeds`;
    return `  ${listMark(name)} ${counts}  ${name}`;
  });
  return [
    "rare paths (times taken, seeds that took them; + is not required):",
    ...rows,
    `faults: ${faultList(summary.faults, 0)}`,
    `means per seed: ${meanList(summary)}`,
    `rare paths: ${RARE_PATHS.length - missing.length} of ${RARE_PATHS.length} taken` +
      (missing.length === 0 ? "" : `; never: ${missing.join("; ")}`),
    `seeds: ${summary.seeds}`,
    `steps: ${summary.steps}`,
    `hash: ${summary.hash}`,
    `seconds: ${summary.realSeconds.toFixed(1)}`,
    `violations: ${summary.violations}`,
    summary.verdict,
  ].join("\n");
}

/** The summary of one seed: what it did, as no seed does everything. The verdict is last. */
export function describeSeed(summary: BatchSummary): string {
  const rows = Object.entries(summary.rarePaths)
    .filter(([, { times }]) => times > 0)
    .map(([name, { times }]) => `  ${listMark(name)} ${String(times).padStart(9)}  ${name}`);
  return [
    "rare paths (times taken; + is not required):",
    ...rows,
    `faults: ${faultList(summary.faults, 1)}`,
    `this seed: ${meanList(summary)}`,
    `seconds: ${summary.realSeconds.toFixed(1)}`,
    `violations: ${summary.violations}`,
    summary.isFailure ? summary.verdict : "PASSED: no violation, and twice the same run",
  ].join("\n");
}

function listMark(path: string): string {
  return RARE_PATHS.includes(path) ? " " : "+";
}

function faultList(faults: BatchSummary["faults"], countMin: number): string {
  return Object.entries(faults)
    .filter(([, count]) => count >= countMin)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(", ");
}

function meanList({ means }: BatchSummary): string {
  return (
    `${means.virtualSeconds.toFixed(1)} virtual s, ` +
    `${means.operations.toFixed(0)} operations (${means.reads.toFixed(0)} reads), ` +
    `${means.ambiguous.toFixed(1)} ambiguous, ${means.refused.toFixed(1)} refused, ` +
    `${means.committed.toFixed(0)} entries committed, ${means.faults.toFixed(1)} faults, ` +
    `${means.elections.toFixed(1)} elections, ${means.steps.toFixed(0)} steps`
  );
}

function replayCommand(seed: number): string {
  return `npm run sim -- --seed ${seed}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

function increase(record: Record<string, number>, key: string, by: number): void {
  record[key] = (record[key] ?? 0) + by;
}

function hex(lane: number): string {
  return lane.toString(16).padStart(8, "0");
}
