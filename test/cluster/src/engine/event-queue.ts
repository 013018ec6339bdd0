/**
 * Virtual time. Nothing happens but what is scheduled here, in the order of (time, sequence), so
 * two runs that schedule the same things are the same run.
 */

import { assert } from "@quorumlog/std";

interface ScheduledEvent {
  readonly atMs: number;
  readonly sequence: number;
  /** `undefined` once it was called off. */
  run: (() => void) | undefined;
}

/** Times are in milliseconds, and need not be whole. It is the scheduler of the network, too. */
export class EventQueue {
  #nowMs = 0;
  #sequence = 0;
  #processed = 0;
  /** A binary heap: each event is due no later than its two children. */
  readonly #heap: ScheduledEvent[] = [];

  now(): number {
    return this.#nowMs;
  }

  /** How many events have run. */
  get processed(): number {
    return this.#processed;
  }

  /** Runs `run` later, after everything that is due at that moment already. */
  after(delayMs: number, run: () => void): () => void {
    assert(delayMs >= 0, "nothing is scheduled in the past");
    const event: ScheduledEvent = { atMs: this.#nowMs + delayMs, sequence: this.#sequence, run };
    this.#sequence += 1;
    this.#heap.push(event);
    this.#siftUp(this.#heap.length - 1);
    return () => {
      event.run = undefined;
    };
  }

  /** Runs everything that is due up to then, and moves the time there. */
  runUntil(atMs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= atMs; next = this.#heap[0])
      this.#runNext(next);
    this.#nowMs = Math.max(this.#nowMs, atMs);
  }

  #runNext(next: ScheduledEvent): void {
    const last = this.#heap.pop() as ScheduledEvent;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#siftDown();
    }
    if (next.run === undefined) return;
    assert(next.atMs >= this.#nowMs, "time does not go back");
    this.#nowMs = next.atMs;
    this.#processed += 1;
    next.run();
  }

  #siftUp(start: number): void {
    const heap = this.#heap;
    let child = start;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!isBefore(heap[child] as ScheduledEvent, heap[parent] as ScheduledEvent)) return;
      swap(heap, child, parent);
      child = parent;
    }
  }

  #siftDown(): void {
    const heap = this.#heap;
    let parent = 0;
    for (;;) {
      const left = parent * 2 + 1;
      if (left >= heap.length) return;
      const right = left + 1;
      const isRight =
        right < heap.length &&
        isBefore(heap[right] as ScheduledEvent, heap[left] as ScheduledEvent);
      const child = isRight ? right : left;
      if (!isBefore(heap[child] as ScheduledEvent, heap[parent] as ScheduledEvent)) return;
      swap(heap, child, parent);
      parent = child;
    }
  }
}

function isBefore(left: ScheduledEvent, right: ScheduledEvent): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.sequence < right.sequence);
}

function swap(heap: ScheduledEvent[], i: number, j: number): void {
  const held = heap[i] as ScheduledEvent;
  heap[i] = heap[j] as ScheduledEvent;
  heap[j] = held;
}
