/**
 * When work that gets one part in so many of the time goes on: what it took, it waits for. Times
 * are milliseconds by `performance.now()`.
 */

/** However long the last work took. */
const WAIT_MS_MAX = 50;

export class Pace {
  readonly #parts: number;
  #nextAt = 0;

  /** @param parts - 5: a fifth of the time. */
  constructor(parts: number) {
    this.#parts = parts;
  }

  onSpent(startedAt: number, endedAt: number): void {
    const nextAt = Math.max(this.#nextAt, endedAt) + (this.#parts - 1) * (endedAt - startedAt);
    // Beyond that nothing is owed: whoever comes after a busy time does not wait for all of it.
    this.#nextAt = Math.min(nextAt, endedAt + WAIT_MS_MAX);
  }

  /** In `[0, 50]`. */
  waitMs(now: number): number {
    return Math.max(0, this.#nextAt - now);
  }
}
