/**
 * Seeds on several cores. Each worker is a thread with modules of its own, so that nothing one seed
 * leaves behind can reach a seed elsewhere; it asks for the next seed when it has done one.
 */

import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { runSeed, type SeedResult } from "./run/seed-run.ts";

const WORKER_MARK = "quorumlog-simulation-worker";

export interface SeedSource {
  /** The next seed to run; `undefined` when there is none left. */
  next(): number | undefined;
  onResult(result: SeedResult): void;
}

/** Runs every seed of `source` on `count` threads. */
export async function runOnWorkers(count: number, source: SeedSource): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => runWorker(source)));
}

async function runWorker(source: SeedSource): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: WORKER_MARK });
  try {
    await new Promise<void>((resolve, reject) => {
      const feed = (): void => {
        const seed = source.next();
        if (seed === undefined) resolve();
        else worker.postMessage(seed);
      };
      worker.on("message", (result: SeedResult) => {
        source.onResult(result);
        feed();
      });
      worker.on("error", reject);
      feed();
    });
  } finally {
    await worker.terminate();
  }
}

if (!isMainThread && workerData === WORKER_MARK)
  parentPort?.on("message", (seed: number) => {
    parentPort?.postMessage(runSeed(seed));
  });
