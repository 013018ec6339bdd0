/**
 * The thread that applies: one work after another, each in one part or two, so that a snapshot or a
 * crash may come between any two entries.
 */

import type { ApplyWork } from "@quorumlog/raft";
import type { Prng } from "@quorumlog/std";
import type { EventQueue, Micros } from "../engine/event-queue.ts";
import { exponential } from "../engine/network.ts";

/** The entries `[from, to)` of a work are due. */
export interface ApplyPart {
  readonly work: ApplyWork;
  readonly from: number;
  readonly to: number;
}

export class ApplyThread {
  readonly #queue: EventQueue;
  readonly #prng: Prng;
  readonly #latencyMean: Micros;
  readonly #onDue: (part: ApplyPart) => void;
  readonly #works: ApplyWork[] = [];
  #isBusy = false;
  /** Each part takes so much longer. */
  stall: Micros = 0;

  /** @param init - `latencyMean` 0: apply in the same turn. */
  constructor(init: {
    queue: EventQueue;
    prng: Prng;
    latencyMean: Micros;
    onDue: (part: ApplyPart) => void;
  }) {
    this.#queue = init.queue;
    this.#prng = init.prng;
    this.#latencyMean = init.latencyMean;
    this.#onDue = init.onDue;
  }

  submit(work: ApplyWork): void {
    this.#works.push(work);
    this.#start();
  }

  /** A part is applied; the next one follows. */
  finish(part: ApplyPart): void {
    const { work, to } = part;
    if (to < work.entries.length) {
      this.#schedule({ work, from: to, to: work.entries.length });
      return;
    }
    this.#works.shift();
    this.#isBusy = false;
    this.#start();
  }

  #start(): void {
    const work = this.#works[0];
    if (this.#isBusy || work === undefined) return;
    this.#isBusy = true;
    const count = work.entries.length;
    const to = count > 1 && this.#prng.chance(0.2) ? this.#prng.between(1, count) : count;
    this.#schedule({ work, from: 0, to });
  }

  #schedule(part: ApplyPart): void {
    if (this.#latencyMean === 0 && this.stall === 0) {
      this.#onDue(part);
      return;
    }
    this.#queue.schedule(exponential(this.#prng, this.#latencyMean) + this.stall, () => {
      this.#onDue(part);
    });
  }
}
