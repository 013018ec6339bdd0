/**
 * Flush mode `async`: what was written is said to be durable, and synced soon after.
 *
 * Until then it survives the end of the process, not that of the machine. Whoever opens such a log
 * has to know whether the machine went down in between, as the log does not: see docs/storage.md.
 * What is *promised* by a term, a vote, a trim or a reset is synced first here, too.
 */

/** When a sync is due: after so long, or after so much, whichever is first. */
export interface AsyncFlush {
  /** Between a write and the sync that it waits for, at most, in milliseconds. */
  readonly intervalMs: number;
  /** Written and not synced. Twice as much, and writes wait for the sync that is under way. */
  readonly bytes: number;
  readonly after: After;
}

/**
 * Runs `run` once, after so many milliseconds.
 *
 * @returns what calls it off.
 */
export type After = (delayMs: number, run: () => void) => () => void;
