/**
 * Whether a node is fit to lead, and its disk to be written to: said to the others, and slow to
 * change back, so that leadership does not swing with every hiccup.
 */

/** What a node tells the others of itself. */
export interface HealthReport {
  /** Its disk has less room than it has to keep free. */
  readonly isFull: boolean;
  /** Its disk took far too long, not long ago. */
  readonly isSlow: boolean;
}

export interface HealthLimits {
  /** Of room on the disk. */
  readonly reserveBytes: number;
  /** A write that is not done after so long is slow. */
  readonly slowMs: number;
}

/** How much more room than the reserve there has to be again: a quarter. */
const RELIEF = 1.25;
/** How long a disk has to be quick again before it counts as such. */
const RECOVERY_MS = 60_000;

export class NodeHealth {
  readonly #limits: HealthLimits;
  #isFull = false;
  #slowUntil = Number.NEGATIVE_INFINITY;

  constructor(limits: HealthLimits) {
    this.#limits = limits;
  }

  /** @param state - The room on the disk, and how long its oldest write has been under way. */
  check(now: number, state: { readonly freeBytes: number; readonly lagMs: number }): HealthReport {
    const { reserveBytes, slowMs } = this.#limits;
    const bytesNeeded = this.#isFull ? reserveBytes * RELIEF : reserveBytes;
    this.#isFull = state.freeBytes < bytesNeeded;
    if (state.lagMs >= slowMs) this.#slowUntil = now + RECOVERY_MS;
    return { isFull: this.#isFull, isSlow: now < this.#slowUntil };
  }
}
