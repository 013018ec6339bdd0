/**
 * Virtual time. Nothing happens but what is scheduled here, in the order of (time, sequence), so
 * two runs that schedule the same things are the same run.
 */

import { assert, TimeQueue } from "@quorumlog/std";

interface ScheduledEvent {
  /** `undefined` once it was called off. */
  run: (() => void) | undefined;
}

/** Times are in milliseconds, and need not be whole. It is the scheduler of the network, too. */
export class EventQueue {
  #nowMs = 0;
  #processed = 0;
  readonly #events = new TimeQueue<ScheduledEvent>();

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
    const event: ScheduledEvent = { run };
    this.#events.put(this.#nowMs + delayMs, event);
    return () => {
      event.run = undefined;
    };
  }

  /** Runs everything that is due up to then, and moves the time there. */
  runUntil(atMs: number): void {
    for (let next = this.#events.peek(); next !== undefined && next.at <= atMs;) {
      this.#events.take();
      this.#run(next.at, next.item);
      next = this.#events.peek();
    }
    this.#nowMs = Math.max(this.#nowMs, atMs);
  }

  #run(atMs: number, { run }: ScheduledEvent): void {
    if (run === undefined) return;
    assert(atMs >= this.#nowMs, "time does not go back");
    this.#nowMs = atMs;
    this.#processed += 1;
    run();
  }
}
