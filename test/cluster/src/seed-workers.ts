/** Seeds on several threads; each thread is given the next seed when it has done one. */

import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { runSeed, type SeedResult } from "./run/seed-run.ts";

const WORKER_MARK = "quorumlog-cluster-worker";

export interface SeedRange {
  readonly from: number;
  readonly seeds: number;
  readonly jobs: number;
}

/** A thread that dies is a finding about the seed that it had, and not the end of the others. */
export async function runSeeds(
  { from, seeds, jobs }: SeedRange,
  onResult: (result: SeedResult) => void,
): Promise<void> {
  let next = from;
  const take = (): number | undefined => {
    if (next >= from + seeds) return undefined;
    next += 1;
    return next - 1;
  };
  await Promise.all(Array.from({ length: jobs }, () => runLane(take, onResult)));
}

async function runLane(
  take: () => number | undefined,
  onResult: (result: SeedResult) => void,
): Promise<void> {
  let worker: Worker | undefined;
  for (let seed = take(); seed !== undefined; seed = take()) {
    worker ??= new Worker(new URL(import.meta.url), { workerData: WORKER_MARK });
    const answer = await ask(worker, seed);
    if (answer instanceof Error) {
      onResult(lossOf(seed, answer));
      worker = undefined;
    } else onResult(answer);
  }
  await worker?.terminate();
}

function ask(worker: Worker, seed: number): Promise<SeedResult | Error> {
  return new Promise((resolve) => {
    const onExit = (code: number): void => {
      end(new Error(`its thread ended with exit code ${code}`));
    };
    const end = (answer: SeedResult | Error): void => {
      worker.off("message", end).off("error", end).off("exit", onExit);
      resolve(answer);
    };
    worker.on("message", end).on("error", end).on("exit", onExit);
    worker.postMessage(seed);
  });
}

function lossOf(seed: number, error: Error): SeedResult {
  return {
    seed,
    hash: "",
    events: 0,
    virtualMs: 0,
    acknowledged: 0,
    records: 0,
    counts: [],
    failure: { invariant: "the simulator died", detail: error.stack ?? error.message },
  };
}

if (!isMainThread && workerData === WORKER_MARK)
  parentPort?.on("message", (seed: number) => {
    parentPort?.postMessage(runSeed(seed));
  });
