/**
 * The monotonic clock of one host: it may run fast, slow, stand still while the host is suspended,
 * or jump ahead. It never goes back; the operating system promises that much.
 */

import { assert } from "@quorumlog/std";
import type { EventQueue, Micros } from "./event-queue.ts";

export class HostClock {
  readonly #queue: EventQueue;
  #virtualStart: Micros;
  #localStart: Micros;
  #rate: number;

  constructor(queue: EventQueue, offset: Micros) {
    this.#queue = queue;
    this.#virtualStart = queue.now;
    this.#localStart = offset;
    this.#rate = 1;
  }

  get rate(): number {
    return this.#rate;
  }

  /** What this host believes the time to be. */
  read(): Micros {
    return this.#localStart + (this.#queue.now - this.#virtualStart) * this.#rate;
  }

  /** @param rate - Local time per virtual time; 0 while the host is suspended. */
  setRate(rate: number): void {
    assert(rate >= 0, "a clock never runs backwards");
    this.#restart(this.read());
    this.#rate = rate;
  }

  jump(by: Micros): void {
    assert(by >= 0, "a clock never jumps backwards");
    this.#restart(this.read() + by);
  }

  /** Virtual time until this clock shows `local`, if it goes on as it goes now. */
  delayUntil(local: Micros): Micros {
    if (this.#rate === 0) return Number.POSITIVE_INFINITY;
    return Math.max(0, Math.ceil((local - this.read()) / this.#rate));
  }

  #restart(local: Micros): void {
    this.#virtualStart = this.#queue.now;
    this.#localStart = local;
  }
}
