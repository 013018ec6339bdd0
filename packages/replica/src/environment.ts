/**
 * What a replica takes from outside beside its disk and its network: time, turns and memory.
 *
 * The simulator gives it virtual ones, and so runs the very code that serves.
 */

import { readFileSync } from "node:fs";
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

  /**
   * Which boot of the machine this is: another one says that what was written and not synced may be
   * lost. `undefined` where that cannot be known, which counts as another one each time.
   */
  bootId(): string | undefined;

  /** An integer in `[0, 2^32)`, not for secrets. */
  random(): number;

  /** For what is proposed and received; groups of a process share it. */
  readonly memory: SlabPool;
}

const BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id";

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
  bootId() {
    try {
      return readFileSync(BOOT_ID_PATH, "utf8").trim();
    } catch {
      // Not Linux, or nothing is mounted there: then it is not known.
      return undefined;
    }
  },
  random: () => Math.floor(Math.random() * 2 ** 32),
  memory: new SlabPool(),
};
