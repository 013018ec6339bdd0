/**
 * Seeds on several cores. Each worker is a thread with modules of its own, so that nothing one seed
 * leaves behind can reach a seed elsewhere; it is given the next seed when it has done one.
 *
 * A thread may die or hang with the seed it works on. That seed is then reported as lost, and the
 * others go on in a new thread: what breaks the simulator is a finding, not the end of the batch.
 */

import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { LineFile } from "./line-file.ts";
import { runSeed, type SeedFailure, type SeedResult } from "./run/seed-run.ts";
import { TlaTrace } from "./run/tla-trace.ts";

const WORKER_MARK = "quorumlog-simulation-worker";

/** A seed takes about half a second. */
const SEED_SECONDS_MAX = 120;

export interface SeedTask {
  readonly seed: number;
  /** Files for its story and its events; `undefined` for none. */
  readonly trace?: string | undefined;
  readonly tla?: string | undefined;
}

/** What a thread answers. */
export interface SeedReply {
  readonly result: SeedResult;
  /** Why a file of the task is not complete. */
  readonly complaint: string | undefined;
}

export interface SeedSource {
  /** The next seed to run; `undefined` when there is none left. */
  next(): SeedTask | undefined;
  onReply(reply: SeedReply): void;
  /** There is no result: the thread died, or was ended because it hung. */
  onLoss(seed: number, failure: SeedFailure): void;
}

export interface PoolOptions {
  readonly workers: number;
  /** Real time that a seed may take. */
  readonly seedSeconds?: number;
  /** What the threads run, if not this file. */
  readonly program?: URL;
}

/** Asks every seed of `source` of a pool of threads, and ends them. */
export async function runOnWorkers(source: SeedSource, options: PoolOptions): Promise<void> {
  await Promise.all(Array.from({ length: options.workers }, () => runLane(source, options)));
}

/** One thread at a time; a new one for each that is lost. */
async function runLane(source: SeedSource, options: PoolOptions): Promise<void> {
  const { seedSeconds = SEED_SECONDS_MAX, program = new URL(import.meta.url) } = options;
  let thread: SeedThread | undefined;
  try {
    for (let task = source.next(); task !== undefined; task = source.next()) {
      thread ??= new SeedThread(program);
      const answer = await thread.ask(task, seedSeconds);
      if ("result" in answer) {
        source.onReply(answer);
        continue;
      }
      source.onLoss(task.seed, answer);
      await thread.end();
      thread = undefined;
    }
  } finally {
    await thread?.end();
  }
}

class SeedThread {
  readonly #worker: Worker;
  #waiting: ((answer: SeedReply | SeedFailure) => void) | undefined;
  /** Set once, by whatever tells of it first: an error is followed by the exit. */
  #death: SeedFailure | undefined;

  constructor(program: URL) {
    this.#worker = new Worker(program, { workerData: WORKER_MARK });
    this.#worker.on("message", (reply: SeedReply) => this.#waiting?.(reply));
    this.#worker.on("error", (error: unknown) => {
      const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
      this.#die(`${name}: ${message}`, stack);
    });
    this.#worker.on("exit", (code) => {
      this.#die(`its thread ended with exit code ${code}`, undefined);
    });
  }

  ask(task: SeedTask, secondsMax: number): Promise<SeedReply | SeedFailure> {
    if (this.#death !== undefined) return Promise.resolve(this.#death);
    return new Promise((resolve) => {
      let seconds = 0;
      // Counted, not measured: a process that was stopped for a while has lost no time by that.
      const clock = setInterval(() => {
        seconds += 1;
        if (seconds >= secondsMax)
          this.#waiting?.(loss("hang", `no result after ${secondsMax} s of real time`));
      }, 1_000);
      this.#waiting = (answer): void => {
        clearInterval(clock);
        this.#waiting = undefined;
        resolve(answer);
      };
      this.#worker.postMessage(task);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #die(detail: string, stack: string | undefined): void {
    this.#death ??= loss("the simulator died", detail, stack);
    this.#waiting?.(this.#death);
  }
}

function loss(invariant: string, detail: string, stack?: string): SeedFailure {
  return { invariant, detail, nodes: [], virtualSeconds: 0, stack };
}

function runTask({ seed, trace, tla }: SeedTask): SeedReply {
  const story = trace === undefined ? undefined : new LineFile(trace);
  const events = tla === undefined ? undefined : new LineFile(tla);
  const tlaTrace = events === undefined ? undefined : new TlaTrace((line) => events.write(line));
  let complaint: string | undefined;
  let result: SeedResult;
  try {
    result = runSeed(seed, {
      ...(story === undefined ? {} : { trace: (line: string) => story.write(line) }),
      ...(tlaTrace === undefined ? {} : { onEvent: tlaTrace.onEvent }),
    });
  } finally {
    // Of a run that was cut off by an error, too, the story up to there is wanted.
    const problems = [story?.close(), events?.close()];
    complaint = problems.find((problem) => problem !== undefined);
  }
  return { result, complaint };
}

if (!isMainThread && workerData === WORKER_MARK)
  parentPort?.on("message", (task: SeedTask) => {
    parentPort?.postMessage(runTask(task));
  });
