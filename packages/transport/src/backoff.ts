/**
 * How long to wait before a peer is dialed again: full jitter below a bound that doubles, so that
 * nodes which lost each other at once do not come back at once.
 */

export interface BackoffInit {
  readonly msMin: number;
  readonly msMax: number;
  /** In `[0, 1)`. */
  readonly random: () => number;
}

export class Backoff {
  readonly #init: BackoffInit;
  #attempt = 0;

  constructor(init: BackoffInit) {
    this.#init = init;
  }

  reset(): void {
    this.#attempt = 0;
  }

  /** In milliseconds, in `[msMin, msMax]`. */
  next(): number {
    const { msMin, msMax, random } = this.#init;
    this.#attempt += 1;
    const bound = Math.min(msMax, msMin * 2 ** this.#attempt);
    return msMin + random() * (bound - msMin);
  }
}
