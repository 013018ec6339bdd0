/** How far one queue is consumed: its messages may be finished in any order. */

import type { FetchedQueue } from "./fetched-queue.ts";

export interface Delivery {
  readonly offset: number;
  isDone: boolean;
}

export class QueueProgress {
  readonly queue: FetchedQueue;
  readonly fencingToken: number;
  /** Aborted when the queue is somebody else's. */
  readonly lost: AbortController = new AbortController();
  /** -1: nothing was. */
  committed: number;
  /** Handed out and not finished, in the order of their offsets, and finished ones among them. */
  readonly #deliveries: Delivery[] = [];
  #runningCount = 0;
  #onIdle: (() => void) | undefined;

  constructor(queue: FetchedQueue, claimed: { committed: number; fencingToken: number }) {
    this.queue = queue;
    this.committed = claimed.committed;
    this.fencingToken = claimed.fencingToken;
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
