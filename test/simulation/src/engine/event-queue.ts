/**
 * Virtual time. Nothing happens but what is scheduled here, in the order of (time, sequence), so
 * two runs that schedule the same things are the same run.
 */

import { assert } from "@quorumlog/std";

/** Virtual microseconds since the start of the run, or between two moments of it. */
export type Micros = number;

export const MILLISECOND: Micros = 1_000;
export const SECOND: Micros = 1_000_000;

interface ScheduledEvent {
  readonly at: Micros;
  readonly sequence: number;
  readonly run: () => void;
}

export class EventQueue {
  #now: Micros = 0;
  #sequence = 0;
  #processed = 0;
  /** A binary heap: each event is due no later than its two children. */
  readonly #heap: ScheduledEvent[] = [];

  get now(): Micros {
    return this.#now;
  }

  /** How many events have run. */
  get processed(): number {
    return this.#processed;
  }

  /** Runs `run` after `delay`; after everything that is due at that moment already. */
  schedule(delay: Micros, run: () => void): void {
    assert(delay >= 0, "nothing is scheduled in the past");
    const event = { at: this.#now + Math.round(delay), sequence: this.#sequence, run };
    this.#sequence += 1;
    this.#heap.push(event);
    this.#siftUp(this.#heap.length - 1);
  }

  /** Runs the next event; returns false if there is none. */
  runNext(): boolean {
    const next = this.#heap[0];
    if (next === undefined) return false;
    const last = this.#heap.pop() as ScheduledEvent;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#siftDown();
    }
    assert(next.at >= this.#now, "time does not go back");
    this.#now = next.at;
    this.#processed += 1;
    next.run();
    return true;
  }

  /** Runs everything that is due up to `at`, and moves the time there. */
  runUntil(at: Micros): void {
    while (this.#heap[0] !== undefined && this.#heap[0].at <= at) this.runNext();
    this.#now = Math.max(this.#now, at);
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
  return left.at < right.at || (left.at === right.at && left.sequence < right.sequence);
}

function swap(heap: ScheduledEvent[], i: number, j: number): void {
  const held = heap[i] as ScheduledEvent;
  heap[i] = heap[j] as ScheduledEvent;
  heap[j] = held;
}
