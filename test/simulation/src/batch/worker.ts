/** A thread that runs seeds, as they are handed to it. */

import { parentPort } from "node:worker_threads";
import { runSeed, type SeedResult } from "../run/seed-run.ts";

export interface SeedTask {
  readonly seed: number;
  /** Run twice, and compare. */
  readonly twice: boolean;
}

export interface SeedReport {
  readonly result: SeedResult;
  /** The hash of the second run, where there was one. */
  readonly secondHash: string | undefined;
}

parentPort?.on("message", (task: SeedTask) => {
  const result = runSeed(task.seed);
  const secondHash = task.twice ? runSeed(task.seed).hash : undefined;
  const report: SeedReport = { result, secondHash };
  parentPort?.postMessage(report);
});
