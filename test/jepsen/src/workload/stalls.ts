/**
 * Now and then this process stands still for longer than a session lasts, as by a long collection
 * of garbage or on a machine that is stalled: when it goes on it believes to have what others have
 * by then.
 */

import type { Prng } from "@quorumlog/std";

export interface StallOptions {
  readonly prng: Prng;
  readonly stallMs: number;
  /** From one to the next, `[low, high)`. */
  readonly everyMs: readonly [low: number, high: number];
}

/** Ends with the process. */
export function beginStalls(options: StallOptions): void {
  const { prng, stallMs, everyMs } = options;
  const cell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  setTimeout(
    () => {
      Atomics.wait(cell, 0, 0, stallMs);
      beginStalls(options);
    },
    prng.between(...everyMs),
  ).unref();
}
