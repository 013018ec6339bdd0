/** What a batch of seeds came to. */

import { missingPaths, RARE_PATH_SEED_COUNT } from "./rare-paths.ts";
import type { SeedFailure, SeedResult } from "./seed-run.ts";

export interface BatchSummary {
  readonly seeds: number;
  readonly failures: readonly ({ readonly seed: number } & SeedFailure)[];
  readonly missing: readonly string[];
  readonly events: number;
  readonly virtualSeconds: number;
  readonly acknowledged: number;
  readonly records: number;
  readonly realSeconds: number;
  readonly counts: Readonly<Record<string, number>>;
}

export class BatchReport {
  readonly #failures: ({ seed: number } & SeedFailure)[] = [];
  readonly #counts = new Map<string, number>();
  #seeds = 0;
  #events = 0;
  #virtualMs = 0;
  #acknowledged = 0;
  #records = 0;

  add({ seed, failure, counts, events, virtualMs, acknowledged, records }: SeedResult): void {
    this.#seeds += 1;
    this.#events += events;
    this.#virtualMs += virtualMs;
    this.#acknowledged += acknowledged;
    this.#records += records;
    if (failure !== undefined) this.addFailure(seed, failure);
    for (const [name, count] of counts)
      this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }

  addFailure(seed: number, failure: SeedFailure): void {
    this.#failures.push({ seed, ...failure });
  }

  summary(realSeconds: number): BatchSummary {
    return {
      seeds: this.#seeds,
      failures: this.#failures.toSorted((a, b) => a.seed - b.seed),
      missing: this.#seeds < RARE_PATH_SEED_COUNT ? [] : missingPaths(this.#counts),
      events: this.#events,
      virtualSeconds: Math.round(this.#virtualMs / 1_000),
      acknowledged: this.#acknowledged,
      records: this.#records,
      realSeconds: Math.round(realSeconds * 10) / 10,
      counts: Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1))),
    };
  }
}

/** One line for each seed that failed, with the command that repeats it. */
export function describeSummary(summary: BatchSummary): string {
  const lines = summary.failures.map(({ seed, detail }) => {
    const [first] = detail.split("\n");
    return `seed ${seed}: ${first} | npm run cluster -- --seed ${seed} --trace`;
  });
  for (const name of summary.missing) lines.push(`never taken: ${name}`);
  const { seeds, failures, virtualSeconds, acknowledged, records, realSeconds } = summary;
  lines.push(
    `${seeds} seeds, ${failures.length} violations; ${virtualSeconds} virtual seconds, ` +
      `${acknowledged} acknowledged appends, ${records} records, in ${realSeconds} s`,
  );
  return lines.join("\n");
}
