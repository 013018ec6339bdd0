/** How far one queue is consumed: its messages may be finished in any order. */

import { setMaxListeners } from "node:events";
import type { FetchedQueue } from "./fetched-queue.ts";

/** What the queue's owner has said as it was claimed. */
export interface Claimed {
  /** -1: nothing was committed yet. */
  readonly committed: number;
  readonly fencingToken: number;
  /** Of the assignment. */
  readonly epoch: number;
  /** Nobody else is given it before, by `performance.now()`; infinite without a lease. */
  readonly leasedUntil: number;
}

export interface Delivery {
  readonly offset: number;
  isDone: boolean;
}

/** Of what was handed out: one that is not finished keeps so many behind it, and no more. */
const SPAN_MAX = 65_536;
const SPLICE_MIN = 1_024;

export class QueueProgress {
  readonly queue: FetchedQueue;
  readonly fencingToken: number;
  /** Aborted when the queue is somebody else's. */
  readonly lost: AbortController = new AbortController();
  readonly epoch: number;
  /**
   * Another one has claimed it, or its offset was reset: it is claimed anew, or somebody else's.
   */
  isFenced = false;
  /** -1: nothing was. */
  committed: number;
  #leasedUntil: number;
  /** Handed out and not finished, in the order of their offsets, and finished ones among them. */
  readonly #deliveries: Delivery[] = [];
  /** Those before it are finished. */
  #head = 0;
  #runningCount = 0;
  #onIdle: (() => void) | undefined;

  constructor(queue: FetchedQueue, claimed: Claimed) {
    this.queue = queue;
    this.committed = claimed.committed;
    this.fencingToken = claimed.fencingToken;
    this.epoch = claimed.epoch;
    this.#leasedUntil = claimed.leasedUntil;
    // One for each message that is handed out: none is a leak.
    setMaxListeners(0, this.lost.signal);
  }

  /**
   * Others may be given it: nothing of it is handed out before the lease is renewed. Asked of the
   * clock each time, as a process that was stopped for a while hears of nothing else.
   */
  get isLeaseOver(): boolean {
    return performance.now() >= this.#leasedUntil;
  }

  renew(leasedUntil: number): void {
    this.#leasedUntil = leasedUntil;
  }

  get runningCount(): number {
    return this.#runningCount;
  }

  /** The lowest offset that is not finished: everything before it is. */
  get finished(): number {
    return this.#deliveries[this.#head]?.offset ?? this.queue.position;
  }

  /** The lowest that is not finished is too far behind for more to be handed out. */
  get isFull(): boolean {
    return this.#deliveries.length - this.#head >= SPAN_MAX;
  }

  begin(offset: number): Delivery {
    const delivery = { offset, isDone: false };
    this.#deliveries.push(delivery);
    this.#runningCount += 1;
    return delivery;
  }

  /** @param isDone - Or it was given up here, and is delivered again to somebody. */
  end(delivery: Delivery, isDone: boolean): void {
    delivery.isDone = isDone;
    while (this.#deliveries[this.#head]?.isDone === true) this.#head += 1;
    if (this.#head > SPLICE_MIN && 2 * this.#head > this.#deliveries.length) {
      this.#deliveries.splice(0, this.#head);
      this.#head = 0;
    }
    this.#runningCount -= 1;
    if (this.#runningCount === 0) this.#onIdle?.();
  }

  /** Waits until nothing of it is under way; whoever does not end in time is left behind. */
  idle(timeoutMs: number): Promise<void> {
    if (this.#runningCount === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
