/**
 * When fetches that were woken are looked at: they get a share of the time, and what they took more
 * than that they wait for. Times are milliseconds by `performance.now()`.
 */

/** What they get at most is one part in so many. */
const SHARE = 5;
/** However long the last ones took. */
const WAIT_MS_MAX = 50;

export class WakingPace {
  #nextAt = 0;

  onSpent(startedAt: number, endedAt: number): void {
    const nextAt = Math.max(this.#nextAt, endedAt) + (SHARE - 1) * (endedAt - startedAt);
    // Beyond that nothing is owed: whoever comes after a busy time does not wait for all of it.
    this.#nextAt = Math.min(nextAt, endedAt + WAIT_MS_MAX);
  }

  /** In `[0, 50]`. */
  waitMs(now: number): number {
    return Math.max(0, this.#nextAt - now);
  }
}
