/**
 * Time, as the core is told of it: in ticks, one by one while anything is under way.
 *
 * A replica that has nothing to do wakes up for each heartbeat, and no more often; what comes in
 * catches up on the ticks in between, before anything else.
 */

import type { Environment } from "./environment.ts";

export interface CoreClockInit {
  readonly environment: Environment;
  readonly tickMs: number;
  /** Of a heartbeat: how long it sleeps when there is nothing to do. */
  readonly heartbeatTicks: number;
  /** Whether every tick counts. */
  readonly isBusy: () => boolean;
  /** Time has passed: called before anything else is done. */
  readonly onTime: (ticks: number, passedMs: number) => void;
  /** It is time to look what is due. */
  readonly onTick: () => void;
}

/** Longer than any election takes. */
const RESTLESS_MS = 5_000;

export class CoreClock {
  readonly #init: CoreClockInit;
  #lastTickAt: number;
  #restlessUntil = 0;
  #isAsleep = false;
  #isStopped = false;
  #cancel: () => void = () => undefined;

  constructor(init: CoreClockInit) {
    this.#init = init;
    this.#lastTickAt = init.environment.now();
  }

  start(): void {
    if (this.#isStopped) return;
    const { environment, tickMs, heartbeatTicks, onTick } = this.#init;
    this.#isAsleep = this.#maySleep();
    const delayMs = tickMs * (this.#isAsleep ? heartbeatTicks : 1);
    this.#cancel = environment.after(delayMs, () => {
      this.start();
      onTick();
    });
  }

  /** For good: whoever closes from within an event is followed by what the event was part of. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /** Tells the core what time it is, before anything else after a pause. */
  catchUp(): void {
    const { environment, tickMs, onTime } = this.#init;
    const passedMs = environment.now() - this.#lastTickAt;
    if (passedMs < tickMs) return;
    const ticks = Math.floor(passedMs / tickMs);
    this.#lastTickAt += ticks * tickMs;
    onTime(ticks, passedMs);
  }

  /** Something was put in: from now on every tick may count. */
  wake(): void {
    if (this.#isStopped || !this.#isAsleep || this.#maySleep()) return;
    this.#cancel();
    this.start();
  }

  /** A peer was lost: an election may follow, in which every tick counts. */
  worry(): void {
    this.#restlessUntil = this.#init.environment.now() + RESTLESS_MS;
    this.wake();
  }

  #maySleep(): boolean {
    return !this.#init.isBusy() && this.#init.environment.now() >= this.#restlessUntil;
  }
}
