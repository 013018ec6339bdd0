/**
 * Hands messages to a listener, so many at a time: of a queue in any order, one behind the other,
 * or one behind the other within a key. What a listener has thrown at is handed to it again, later.
 */

import type { ConsumedMessage } from "./consumed-message.ts";
import type { Fetcher } from "./fetcher.ts";
import type { Delivery, QueueProgress } from "./queue-progress.ts";
import { Bell } from "./waiting.ts";

/** What may happen at the same time, within one queue. */
export type ConsumeOrder = "concurrent" | "per-key" | "orderly";

export interface MessageContext {
  /** From 1: how often this consumer has handed this message out. */
  readonly attempt: number;
  /** Aborted when the queue is somebody else's now, or the consumer closes for good. */
  readonly signal: AbortSignal;
  /**
   * Grows with each consumer that takes the queue over: whatever is written to may refuse lower
   * ones.
   */
  readonly fencingToken: number;
}

export type MessageListener = (
  message: ConsumedMessage,
  context: MessageContext,
) => Promise<void> | void;

export interface MessageWorkersInit {
  readonly fetcher: Fetcher;
  readonly listener: MessageListener;
  readonly order: ConsumeOrder;
  readonly concurrency: number;
  readonly retryMs: { readonly min: number; readonly max: number };
  /** Of one message; 0: without end. */
  readonly attemptsMax: number;
  readonly onFailed: (message: ConsumedMessage, error: unknown, attempt: number) => void;
  /** It is passed over. */
  readonly onGivenUp: (message: ConsumedMessage, error: unknown) => void;
  /** A queue cannot be read on. */
  readonly onProblem: (progress: QueueProgress) => void;
}

interface Task {
  readonly progress: QueueProgress;
  readonly message: ConsumedMessage;
  readonly delivery: Delivery;
}

/** Taken and not finished, for each that runs: in order of keys, some wait for others. */
const TAKEN_PER_WORKER = 16;
/** Of messages that wait to be handed out again, and leave their places to others meanwhile. */
const WAITING_MAX = 1_024;
/** While a lease is over: how often that is looked at. */
const LOOK_MS = 100;

export class MessageWorkers {
  readonly #init: MessageWorkersInit;
  readonly #progress: QueueProgress[] = [];
  /** Of keys that are at work, whoever waits behind. */
  readonly #keys = new Map<string, Task[]>();
  /** Ready to run; none while fewer run than may, unless it is paused. */
  readonly #ready: Task[] = [];
  readonly #running = new Set<Promise<void>>();
  /** Rings when it is resumed, and when it is stopped. */
  readonly #changed = new Bell();
  #takenCount = 0;
  /** Of those that run: they wait to be handed out again, and no listener is at work with them. */
  #waitingCount = 0;
  /** Of those that wait: their time has come, and there was no place. */
  readonly #due = new Set<() => void>();
  #turn = 0;
  #isPaused = false;
  #isStopped = false;

  constructor(init: MessageWorkersInit) {
    this.#init = init;
  }

  add(progress: QueueProgress): void {
    this.#progress.push(progress);
    this.pump();
  }

  remove(progress: QueueProgress): void {
    const at = this.#progress.indexOf(progress);
    if (at >= 0) this.#progress.splice(at, 1);
  }

  set isPaused(isPaused: boolean) {
    this.#isPaused = isPaused;
    if (!isPaused) this.#changed.ring();
    this.#runReady();
    this.pump();
  }

  /** Nothing is handed out any more, nor once more. */
  stop(): void {
    this.#isStopped = true;
    for (const goOn of this.#due) goOn();
    this.#changed.ring();
    this.#runReady();
  }

  /** All that was handed out has come back. */
  async drained(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Takes what there is and may run. */
  pump(): void {
    const count = this.#progress.length;
    this.#turn += 1;
    for (let i = 0; i < count; i++) {
      if (!this.#hasRoom()) return;
      const progress = this.#progress[(i + this.#turn) % count] as QueueProgress;
      const { queue } = progress;
      if (queue.hasBatches) this.#takeFrom(progress);
      if (queue.problem !== undefined) this.#init.onProblem(progress);
    }
  }

  #takeFrom(progress: QueueProgress): void {
    while (this.#mayTake(progress)) {
      const message = progress.queue.take();
      if (message === undefined) break;
      this.#begin({ progress, message, delivery: progress.begin(message.offset) });
    }
    this.#init.fetcher.refill(progress.queue);
  }

  #mayTake({ runningCount, queue, isLeaseOver, isFenced, isFull }: QueueProgress): boolean {
    if (queue.isPaused || isLeaseOver || isFenced || isFull) return false;
    if (this.#init.order === "orderly" && runningCount > 0) return false;
    return this.#hasRoom();
  }

  #hasRoom(): boolean {
    if (this.#isPaused || this.#isStopped || this.#ready.length > 0) return false;
    const { order, concurrency } = this.#init;
    const takenMax = order === "per-key" ? concurrency * TAKEN_PER_WORKER : concurrency;
    const atWork = this.#takenCount - this.#waitingCount;
    return atWork < takenMax && this.#waitingCount < WAITING_MAX;
  }

  #begin(task: Task): void {
    this.#takenCount += 1;
    const key = this.#keyOf(task);
    const waiting = key === undefined ? undefined : this.#keys.get(key);
    if (waiting !== undefined) {
      waiting.push(task);
      return;
    }
    if (key !== undefined) this.#keys.set(key, []);
    this.#run(task);
  }

  #run(task: Task): void {
    if (!this.#mayRun()) {
      this.#ready.push(task);
      return;
    }
    const work = this.#work(task).finally(() => {
      this.#running.delete(work);
      this.#onDone(task);
    });
    this.#running.add(work);
  }

  #onDone(task: Task): void {
    this.#takenCount -= 1;
    const key = this.#keyOf(task);
    const next = key === undefined ? undefined : this.#keys.get(key)?.shift();
    if (next !== undefined) this.#ready.push(next);
    else if (key !== undefined) this.#keys.delete(key);
    this.#runReady();
    this.pump();
  }

  #runReady(): void {
    for (const goOn of this.#due) {
      if (!this.#mayRun()) break;
      goOn();
    }
    while (this.#ready.length > 0 && this.#mayRun()) this.#run(this.#ready.shift() as Task);
  }

  /** Once it is stopped whatever is left only comes to its end. */
  #mayRun(): boolean {
    if (this.#isPaused && !this.#isStopped) return false;
    return this.#running.size - this.#waitingCount < this.#init.concurrency;
  }

  async #work({ progress, message, delivery }: Task): Promise<void> {
    const { listener, attemptsMax, retryMs, onFailed, onGivenUp } = this.#init;
    const { signal } = progress.lost;
    let backoffMs = retryMs.min;
    for (let attempt = 1; !isLost(progress) && !this.#isStopped; attempt++) {
      try {
        await listener(message, { attempt, signal, fencingToken: progress.fencingToken });
        progress.end(delivery, true);
        return;
      } catch (error) {
        onFailed(message, error, attempt);
        // Whoever was told to let go of it has not failed at it: it is somebody else's to try.
        if (attempt === attemptsMax && !isLost(progress)) {
          onGivenUp(message, error);
          progress.end(delivery, true);
          return;
        }
      }
      await this.#leavePlace(progress, backoffMs);
      backoffMs = Math.min(2 * backoffMs, retryMs.max);
    }
    // Whoever has the queue now is given it again.
    progress.end(delivery, false);
  }

  /** One that waits leaves its place to others, and has one again when this is over. */
  async #leavePlace(progress: QueueProgress, waitMs: number): Promise<void> {
    // A listener may throw at once, within the call that hands out the next ones.
    await Promise.resolve();
    let leftMs = waitMs;
    do {
      this.#waitingCount += 1;
      this.#runReady();
      this.pump();
      try {
        await this.#untilNext(progress, leftMs);
      } catch {
        // The queue is lost: the loop that hands it out sees it, too.
      }
      await this.#takePlace(progress);
      leftMs = 0;
      // The lease may have ended while there was no place.
    } while (progress.isLeaseOver && !isLost(progress) && !this.#isStopped);
  }

  /** As soon as there is one, or nothing is to be handed out any more. */
  async #takePlace(progress: QueueProgress): Promise<void> {
    if (isLost(progress) || this.#isStopped || this.#mayRun()) {
      this.#waitingCount -= 1;
      return;
    }
    await new Promise<void>((resolve) => {
      const { signal } = progress.lost;
      const goOn = (): void => {
        signal.removeEventListener("abort", goOn);
        this.#due.delete(goOn);
        this.#waitingCount -= 1;
        resolve();
      };
      this.#due.add(goOn);
      signal.addEventListener("abort", goOn, { once: true });
    });
  }

  /** Until a message may be handed out once more, or it is stopped. Rejects when it is lost. */
  async #untilNext(progress: QueueProgress, waitMs: number): Promise<void> {
    const { signal } = progress.lost;
    const at = performance.now() + waitMs;
    for (let left = waitMs; left > 0 && !this.#isStopped; left = at - performance.now())
      await this.#changed.wait(left, signal);
    while (!this.#isStopped && (this.#isPaused || progress.isLeaseOver))
      await this.#changed.wait(LOOK_MS, signal);
  }

  /** `undefined`: nothing waits for it. */
  #keyOf({ message }: Task): string | undefined {
    if (this.#init.order !== "per-key") return undefined;
    const key = message.messageGroup ?? message.keys[0];
    return key === undefined ? undefined : `${message.topicId}/${key}`;
  }
}

function isLost({ lost }: QueueProgress): boolean {
  return lost.signal.aborted;
}
