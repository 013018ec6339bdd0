/** One direction between two nodes: what goes in comes out in order, late, or not at all. */

import type { Prng } from "@quorumlog/std";
import type { Scheduler } from "../scheduler.ts";
import type { Lane } from "../transport.ts";

export interface LatencyRange {
  readonly min: number;
  readonly max: number;
}

export interface MemoryWayInit {
  readonly scheduler: Scheduler;
  readonly prng: Prng;
  readonly latencyMs: LatencyRange;
}

interface LaneQueue {
  readonly waiting: (() => void)[];
  lastAtMs: number;
  /** Of those that wait, from the front, how many are due: a cut way holds them. */
  dueCount: number;
}

export class MemoryWay {
  readonly #init: MemoryWayInit;
  readonly #lanes: Readonly<Record<Lane, LaneQueue>> = { control: newQueue(), bulk: newQueue() };
  #isCut = false;
  #extraMs = 0;
  #dropProbability = 0;

  constructor(init: MemoryWayInit) {
    this.#init = init;
  }

  /** Whatever is on the way stays there: TCP would send it again, for as long as it has hope. */
  cut(): void {
    this.#isCut = true;
  }

  slow(extraMs: number): void {
    this.#extraMs = extraMs;
  }

  drop(probability: number): void {
    this.#dropProbability = probability;
  }

  heal(): void {
    this.#isCut = false;
    this.#extraMs = 0;
    this.#dropProbability = 0;
    for (const queue of Object.values(this.#lanes)) {
      const { dueCount } = queue;
      queue.dueCount = 0;
      for (let i = 0; i < dueCount; i++) this.#schedule(queue);
    }
  }

  /** Whether a frame is to be lost. */
  isLost(): boolean {
    return this.#dropProbability > 0 && this.#init.prng.chance(this.#dropProbability);
  }

  /** Calls back at the other end. */
  carry(lane: Lane, onArrival: () => void): void {
    const queue = this.#lanes[lane];
    queue.waiting.push(onArrival);
    this.#schedule(queue);
  }

  #schedule(queue: LaneQueue): void {
    const { scheduler, prng, latencyMs } = this.#init;
    const now = scheduler.now();
    const jitterMs = prng.fraction() * (latencyMs.max - latencyMs.min);
    const atMs = Math.max(queue.lastAtMs, now + latencyMs.min + jitterMs + this.#extraMs);
    queue.lastAtMs = atMs;
    scheduler.after(atMs - now, () => {
      // The first of those that wait, whichever of them this was scheduled for: so they are never
      // out of order, however the scheduler orders what is due at one time.
      if (this.#isCut) queue.dueCount += 1;
      else queue.waiting.shift()?.();
    });
  }
}

function newQueue(): LaneQueue {
  return { waiting: [], lastAtMs: 0, dueCount: 0 };
}
