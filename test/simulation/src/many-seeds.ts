/** A range of seeds, on several threads. */

import type { ManySeedsRequest } from "./flags.ts";
import { BatchReport } from "./run/batch-report.ts";
import type { SeedFailure, SeedResult } from "./run/seed-run.ts";
import { runOnWorkers, type SeedTask } from "./worker.ts";

/** Progress goes to stderr. */
export async function runMany(request: ManySeedsRequest): Promise<BatchReport> {
  const { from, seeds, jobs, isFailFast } = request;
  const report = new BatchReport();
  const progress = new Progress(seeds);
  let next = from;
  const source = {
    next: (): SeedTask | undefined => {
      const isOver = next >= from + seeds || (isFailFast && report.failures.length > 0);
      if (isOver) return undefined;
      next += 1;
      return { seed: next - 1 };
    },
    onReply: ({ result }: { result: SeedResult }): void => {
      report.add(result);
      progress.show(report);
    },
    onLoss: (seed: number, failure: SeedFailure): void => {
      report.addFailure(seed, failure);
      progress.show(report);
    },
  };
  await runOnWorkers(source, { workers: jobs });
  progress.end();
  return report;
}

/** A line on stderr that is rewritten on a terminal, and now and then a new one elsewhere. */
class Progress {
  readonly #total: number;
  readonly #startedAt = performance.now();
  #shownAt = performance.now();

  constructor(total: number) {
    this.#total = total;
  }

  show(report: BatchReport): void {
    const now = performance.now();
    const { isTTY } = process.stderr;
    const isLast = report.seedCount === this.#total;
    if (now - this.#shownAt < (isTTY ? 100 : 5_000) && !isLast) return;
    this.#shownAt = now;
    const rate = report.seedCount / Math.max(0.001, (now - this.#startedAt) / 1_000);
    const left = Math.ceil((this.#total - report.seedCount) / rate);
    const line =
      `${report.seedCount}/${this.#total} seeds, ${rate.toFixed(1)}/s, ${left} s left, ` +
      `${report.steps} steps, ${report.failures.length} violations`;
    process.stderr.write(isTTY ? `\r${line}\u001B[K` : `${line}\n`);
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write("\n");
  }
}
