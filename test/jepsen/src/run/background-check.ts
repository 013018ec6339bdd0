/** Checks histories in threads of their own, with bounds on time and memory. */

import { Worker } from "node:worker_threads";
import type { WorkloadVerdict } from "../workload/workload.ts";

export interface CheckTask {
  /** Of the history. */
  readonly path: string;
  readonly workload: string;
}

/** Built code, also when a test runs the sources. */
const MAIN = new URL("../../dist/run/check-worker.js", import.meta.url);
const MEMORY_MB_MAX = 4_096;

/**
 * @returns what came of it; `unknown` if it met a bound.
 * @throws Error of a history that is none
 */
export function checkInBackground(
  task: CheckTask,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<WorkloadVerdict> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(MAIN, {
      workerData: task,
      resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB_MAX },
    });
    const giveUp = (why: string): void => {
      resolve({ valid: "unknown", anomalies: [], unknown: [why], counts: {} });
      worker.terminate().catch(reject);
    };
    const timer = setTimeout(() => {
      giveUp(`the check took longer than ${timeoutMs / 1_000} s`);
    }, timeoutMs);
    const onAbort = (): void => {
      giveUp("the check was cut");
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    worker.once("message", (verdict: WorkloadVerdict) => {
      resolve(verdict);
    });
    worker.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ERR_WORKER_OUT_OF_MEMORY")
        giveUp(`the check needs more than ${MEMORY_MB_MAX} MB`);
      else reject(error);
    });
    worker.once("exit", (code) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      // If it has said something, or was given up, this comes too late to matter.
      reject(new Error(`the check of ${task.path} has ended with ${code}, and said nothing`));
    });
    if (signal?.aborted === true) onAbort();
  });
}
