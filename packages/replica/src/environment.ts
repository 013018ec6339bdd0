/**
 * What a replica takes from outside beside its disk and its network: time, turns and memory.
 *
 * The simulator gives it virtual ones, and so runs the very code that serves.
 */

import { SlabPool } from "@quorumlog/std";

export interface Environment {
  /** Milliseconds by a clock that never goes back, from an arbitrary start. */
  now(): number;

  /** Milliseconds since 1970, by the clock on the wall. Stamps records, decides nothing else. */
  wallTime(): number;

  /**
   * Runs `run` once, after so many milliseconds.
   *
   * @returns what calls it off.
   */
  after(delayMs: number, run: () => void): () => void;

  /** Runs `run` when the inputs of this turn are taken in, and never before this returns. */
  soon(run: () => void): void;

  /** An integer in `[0, 2^32)`, not for secrets. */
  random(): number;

  /** For what is proposed and received; groups of a process share it. */
  readonly memory: SlabPool;
}

/** The process itself. */
export const nodeEnvironment: Environment = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => {
      clearTimeout(timer);
    };
  },
  soon(run) {
    setImmediate(run);
  },
  random: () => Math.floor(Math.random() * 2 ** 32),
  memory: new SlabPool(),
};
