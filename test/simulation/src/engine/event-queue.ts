/**
 * Virtual time. Nothing happens but what is scheduled here, in the order of (time, sequence), so
 * two runs that schedule the same things are the same run.
 */

import { assert, TimeQueue } from "@quorumlog/std";

/** Virtual microseconds since the start of the run, or between two moments of it. */
export type Micros = number;

export const MILLISECOND: Micros = 1_000;
export const SECOND: Micros = 1_000_000;

export class EventQueue {
  #now: Micros = 0;
  #processed = 0;
  readonly #events = new TimeQueue<() => void>();

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
    this.#events.put(this.#now + Math.round(delay), run);
  }

  /** Runs the next event; returns false if there is none. */
  runNext(): boolean {
    const next = this.#events.take();
    if (next === undefined) return false;
    assert(next.at >= this.#now, "time does not go back");
    this.#now = next.at;
    this.#processed += 1;
    next.item();
    return true;
  }

  /** Runs everything that is due up to `at`, and moves the time there. */
  runUntil(at: Micros): void {
    for (let next = this.#events.peek(); next !== undefined && next.at <= at;) {
      this.runNext();
      next = this.#events.peek();
    }
    this.#now = Math.max(this.#now, at);
  }
}
