/** What a batch of seeds amounts to. */

import type { SeedFailure } from "../run/seed-run.ts";
import { RARE_PATH_SEED_COUNT, RARE_PATHS } from "./rare-paths.ts";
import type { SeedReport } from "./worker.ts";

export interface FailedSeed {
  readonly seed: number;
  readonly failure: SeedFailure;
  readonly replay: string;
}

export interface BatchReport {
  readonly violations: number;
  readonly seeds: number;
  readonly firstSeed: number;
  readonly lastSeed: number;
  /** Events processed: deliveries, turns, disk completions, faults, client actions. */
  readonly steps: number;
  readonly seconds: number;
  /** Seeds that were run a second time, with the same hash. */
  readonly repeated: number;
  readonly means: Readonly<Record<string, number>>;
  /** Times taken, and in how many seeds. */
  readonly rarePaths: Readonly<Record<string, { readonly times: number; readonly seeds: number }>>;
  readonly missing: readonly string[];
  readonly failures: readonly FailedSeed[];
  /** Of all hashes in the order of seeds: equal for equal batches. */
  readonly hash: string;
}

interface Sums {
  virtualSeconds: number;
  acknowledged: number;
  reads: number;
  ambiguous: number;
  faults: number;
  elections: number;
  committed: number;
}

export class BatchSummary {
  readonly #firstSeed: number;
  readonly #failures: FailedSeed[] = [];
  readonly #paths = new Map<string, { times: number; seeds: number }>();
  readonly #hashes = new Map<number, string>();
  readonly #sums: Sums = {
    virtualSeconds: 0,
    acknowledged: 0,
    reads: 0,
    ambiguous: 0,
    faults: 0,
    elections: 0,
    committed: 0,
  };
  #steps = 0;
  #repeated = 0;

  constructor(firstSeed: number) {
    this.#firstSeed = firstSeed;
  }

  get seeds(): number {
    return this.#hashes.size;
  }

  get violations(): number {
    return this.#failures.length;
  }

  add({ result, secondHash }: SeedReport): void {
    this.#hashes.set(result.seed, result.hash);
    this.#steps += result.steps;
    const sums = this.#sums;
    sums.virtualSeconds += result.virtualSeconds;
    sums.acknowledged += result.operations.acknowledged;
    sums.reads += result.operations.reads;
    sums.ambiguous += result.operations.ambiguous;
    sums.faults += result.faultCount;
    sums.elections += result.elections;
    sums.committed += result.committed;
    for (const [name, times] of Object.entries(result.marks)) {
      const path = this.#paths.get(name) ?? { times: 0, seeds: 0 };
      this.#paths.set(name, { times: path.times + times, seeds: path.seeds + 1 });
    }
    if (result.failure !== undefined) this.#fail(result.seed, result.failure);
    if (secondHash === undefined) return;
    this.#repeated += 1;
    if (secondHash !== result.hash) this.#fail(result.seed, notRepeated(result.hash, secondHash));
  }

  report(seconds: number): BatchReport {
    const seeds = this.seeds;
    const means = Object.entries(this.#sums).map(
      ([name, sum]) => [name, Math.round((sum / Math.max(1, seeds)) * 10) / 10] as const,
    );
    const paths = [...this.#paths].sort(([a], [b]) => (a < b ? -1 : 1));
    const isEnough = seeds >= RARE_PATH_SEED_COUNT;
    return {
      violations: this.violations,
      seeds,
      firstSeed: this.#firstSeed,
      lastSeed: this.#firstSeed + seeds - 1,
      steps: this.#steps,
      seconds: Math.round(seconds * 10) / 10,
      repeated: this.#repeated,
      means: Object.fromEntries(means),
      rarePaths: Object.fromEntries(paths),
      missing: isEnough ? RARE_PATHS.filter((name) => !this.#paths.has(name)) : [],
      failures: this.#failures.sort((a, b) => a.seed - b.seed),
      hash: this.#hash(),
    };
  }

  #fail(seed: number, failure: SeedFailure): void {
    const replay = `npm run sim -- --seed ${seed} --trace out/seed-${seed}.txt`;
    this.#failures.push({ seed, failure, replay });
  }

  #hash(): string {
    let lane = 0x811c9dc5;
    const ordered = [...this.#hashes].sort(([a], [b]) => a - b);
    for (const [, hash] of ordered)
      for (let i = 0; i < hash.length; i++) lane = Math.imul(lane ^ hash.charCodeAt(i), 0x01000193);
    return (lane >>> 0).toString(16).padStart(8, "0");
  }
}

function notRepeated(first: string, second: string): SeedFailure {
  return {
    invariant: "Determinism",
    detail: `two runs of this seed differ: ${first} and ${second}`,
    nodes: [],
    virtualSeconds: 0,
    stack: undefined,
  };
}
