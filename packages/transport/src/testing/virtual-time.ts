/** Time that passes only when it is told to. */

import { assert } from "@quorumlog/std";
import type { Scheduler } from "../scheduler.ts";

interface Due {
  readonly atMs: number;
  readonly run: () => void;
}

export class VirtualTime implements Scheduler {
  /** By time, then in the order in which they were asked for. */
  readonly #due: Due[] = [];
  #nowMs = 0;

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    assert(delayMs >= 0, "time does not go back");
    const due: Due = { atMs: this.#nowMs + delayMs, run };
    const place = this.#due.findLastIndex(({ atMs }) => atMs <= due.atMs) + 1;
    this.#due.splice(place, 0, due);
    return () => {
      const found = this.#due.indexOf(due);
      if (found !== -1) this.#due.splice(found, 1);
    };
  }

  /** Runs what is due next; false if nothing ever is. */
  step(): boolean {
    const next = this.#due.shift();
    if (next === undefined) return false;
    this.#nowMs = next.atMs;
    next.run();
    return true;
  }

  /** Lets so much time pass. */
  pass(ms: number): void {
    const endMs = this.#nowMs + ms;
    while ((this.#due[0]?.atMs ?? Number.POSITIVE_INFINITY) <= endMs) this.step();
    this.#nowMs = endMs;
  }

  /** Lets time pass until the condition holds; false if it does not within so much. */
  passUntil(condition: () => boolean, msMax: number): boolean {
    const endMs = this.#nowMs + msMax;
    while (!condition()) {
      if ((this.#due[0]?.atMs ?? Number.POSITIVE_INFINITY) > endMs) return false;
      this.step();
    }
    return true;
  }
}
