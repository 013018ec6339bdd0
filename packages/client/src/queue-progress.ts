/** How far one queue is consumed: its messages may be finished in any order. */

import { setMaxListeners } from "node:events";
import type { FetchedQueue } from "./fetched-queue.ts";
import { Bell } from "./waiting.ts";

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

const LOOK_MS = 1_000;

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
  readonly #renewed = new Bell();
  /** Handed out and not finished, in the order of their offsets, and finished ones among them. */
  readonly #deliveries: Delivery[] = [];
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
    this.#renewed.ring();
  }

  /** Waits while the lease is over. Rejects when the queue is lost. */
  async leased(): Promise<void> {
    while (this.isLeaseOver) await this.#renewed.wait(LOOK_MS, this.lost.signal);
  }

  get runningCount(): number {
    return this.#runningCount;
  }

  /** The lowest offset that is not finished: everything before it is. */
  get finished(): number {
    return this.#deliveries[0]?.offset ?? this.queue.position;
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
    while (this.#deliveries[0]?.isDone === true) this.#deliveries.shift();
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
