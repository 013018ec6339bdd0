/** Runs a range of seeds on several threads; each seed on one, so that it stays deterministic. */

import { Worker } from "node:worker_threads";
import type { SeedReport, SeedTask } from "./worker.ts";

export interface PoolOptions {
  readonly from: number;
  readonly count: number;
  readonly jobs: number;
  /** One seed in so many is run twice, to compare the hashes. */
  readonly twiceEvery: number;
  /** Hand out no more seeds after the first failure. */
  readonly stopsAtFailure: boolean;
  readonly onReport: (report: SeedReport) => void;
}

/** Settles when every seed has reported; rejects if a thread dies. */
export async function runPool(options: PoolOptions): Promise<void> {
  const { from, count, jobs, twiceEvery } = options;
  let next = 0;
  let failed = false;
  const take = (): SeedTask | undefined => {
    if (next >= count || (failed && options.stopsAtFailure)) return undefined;
    const position = next;
    next += 1;
    return { seed: from + position, twice: position % twiceEvery === 0 };
  };
  const threads = Array.from({ length: Math.min(jobs, count) }, () =>
    runThread(take, (report) => {
      failed ||= report.result.failure !== undefined;
      options.onReport(report);
    }),
  );
  await Promise.all(threads);
}

function runThread(
  take: () => SeedTask | undefined,
  onReport: (report: SeedReport) => void,
): Promise<void> {
  const worker = new Worker(new URL("worker.js", import.meta.url));
  return new Promise((resolve, reject) => {
    const feed = (): void => {
      const task = take();
      if (task === undefined) void worker.terminate();
      else worker.postMessage(task);
    };
    worker.on("message", (report: SeedReport) => {
      onReport(report);
      feed();
    });
    worker.on("error", reject);
    worker.on("exit", () => {
      resolve();
    });
    feed();
  });
}
