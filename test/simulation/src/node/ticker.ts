/** Counts the ticks of a process by its host's clock, and wakes the process when one is due. */

import type { Ticks } from "@quorumlog/raft";
import type { EventQueue, Micros } from "../engine/event-queue.ts";
import type { HostClock } from "../engine/host-clock.ts";

export class Ticker {
  readonly #queue: EventQueue;
  readonly #clock: HostClock;
  readonly #tickMicros: Micros;
  readonly #onDue: () => void;
  #lastTick: Micros;
  #isScheduled = false;

  constructor(init: {
    queue: EventQueue;
    clock: HostClock;
    tickMicros: Micros;
    /** A tick may be due; asked again by `schedule`. */
    onDue: () => void;
  }) {
    this.#queue = init.queue;
    this.#clock = init.clock;
    this.#tickMicros = init.tickMicros;
    this.#onDue = init.onDue;
    this.#lastTick = init.clock.read();
  }

  /** The whole ticks since this was last asked. */
  takeElapsed(): Ticks {
    const elapsed = Math.floor((this.#clock.read() - this.#lastTick) / this.#tickMicros);
    this.#lastTick += elapsed * this.#tickMicros;
    return elapsed;
  }

  /** Calls back when the next tick is due, unless that is arranged already or the clock stands. */
  schedule(): void {
    if (this.#isScheduled) return;
    const delay = this.#clock.delayUntil(this.#lastTick + this.#tickMicros);
    if (delay === Number.POSITIVE_INFINITY) return;
    this.#isScheduled = true;
    this.#queue.schedule(Math.max(1, delay), () => {
      this.#isScheduled = false;
      this.#onDue();
    });
  }
}
