/**
 * Whether a node is fit to lead, and its disk to be written to: said to the others, and slow to
 * change back, so that leadership does not swing with every hiccup.
 */

/** What a node tells the others of itself, and what its program knows. */
export interface HealthReport {
  /** Its disk has less room than it has to keep free. */
  readonly isFull: boolean;
  /** Of what it has to keep free, half is gone, too. */
  readonly isExhausted: boolean;
  /** More of its disk is used than the retention allows. */
  readonly isCrowded: boolean;
  /** Its disk took far too long, not long ago. */
  readonly isSlow: boolean;
  /** Its log, or the snapshot that this begins behind, is damaged: it cannot bring up others. */
  readonly isDamaged: boolean;
  /** It may lack what it has acknowledged, and does not vote. */
  readonly isSuspect: boolean;
  /** It has yet to apply what its log held as it was opened: whom it led would wait for that. */
  readonly isCatchingUp: boolean;
  /** The newest rules that its program knows; 0: it has none. */
  readonly rulesVersion: number;
}

/** What a node sees of itself. */
export interface HealthSigns {
  readonly freeBytes: number;
  /** Of the disk, used or not. */
  readonly totalBytes: number;
  /** What the retention leaves of the disk is passed by so much; 0 or less: it is not. */
  readonly excessBytes: number;
  /** How long the oldest write of its disk has been under way. */
  readonly lagMs: number;
  /** Of its newest snapshot: the next one is about as large, and is there before that one goes. */
  readonly snapshotBytes: number;
  readonly hasBaseSnapshot: boolean;
  /** Entries of its log cannot be read. */
  readonly isLogDamaged: boolean;
  readonly isSuspect: boolean;
  readonly isCatchingUp: boolean;
  readonly rulesVersion: number;
}

export interface HealthLimits {
  /** Of room on the disk, besides that for a snapshot. */
  readonly reserveBytes: number;
  /** Of the disk: with more of it used it counts as full, unless there is {@link PLENTY_BYTES}. */
  readonly fullPercent: number;
  /** A write that is not done after so long is slow. */
  readonly slowMs: number;
}

/** How much more room than the reserve there has to be again: a quarter. */
const RELIEF = 1.25;
/** How long a disk has to be quick again before it counts as such. */
const RECOVERY_MS = 60_000;
/** Of a large disk a small part is room enough, whatever else is on it. */
const PLENTY_BYTES = 16 * 1024 * 1024 * 1024;
/** Of the reserve: what is left to trims and the like, when everything else is refused. */
const LAST_SHARE = 0.5;

export class NodeHealth {
  readonly #limits: HealthLimits;
  #isFull = false;
  #bytesNeeded = 0;
  #roomBytes = 0;
  /** The same, for what may use the reserve. */
  #reserveRoomBytes = 0;
  #slowUntil = Number.NEGATIVE_INFINITY;

  constructor(limits: HealthLimits) {
    this.#limits = limits;
  }

  check(now: number, signs: HealthSigns): HealthReport {
    const { slowMs, fullPercent, reserveBytes } = this.#limits;
    const { freeBytes, totalBytes, snapshotBytes } = signs;
    const share = Math.min((totalBytes * (100 - fullPercent)) / 100, PLENTY_BYTES);
    const bytesKept = Math.max(reserveBytes + snapshotBytes, share);
    const bytesNeeded = this.#isFull ? bytesKept * RELIEF : bytesKept;
    this.#isFull = freeBytes < bytesNeeded;
    this.#bytesNeeded = Math.ceil(this.#isFull ? bytesKept * RELIEF : bytesKept);
    this.#roomBytes = freeBytes - bytesNeeded;
    this.#reserveRoomBytes = freeBytes - reserveBytes * LAST_SHARE;
    if (signs.lagMs >= slowMs) this.#slowUntil = now + RECOVERY_MS;
    const isDamaged = signs.isLogDamaged || !signs.hasBaseSnapshot;
    const { isSuspect, isCatchingUp, rulesVersion } = signs;
    const isSlow = now < this.#slowUntil;
    return {
      isFull: this.#isFull,
      isExhausted: this.#reserveRoomBytes < 0,
      isCrowded: signs.excessBytes > 0,
      isSlow,
      isDamaged,
      isSuspect,
      isCatchingUp,
      rulesVersion,
    };
  }

  /** Free room without which the disk is full; once it is, with which it is no more. */
  get bytesNeeded(): number {
    return this.#bytesNeeded;
  }

  /** Whether so many bytes, written since the last check, have left the reserve alone. */
  hadRoomFor(bytes: number): boolean {
    return bytes <= this.#roomBytes;
  }

  /** The same of what may use the reserve: whether half of that is left alone. */
  hadReserveFor(bytes: number): boolean {
    return bytes <= this.#reserveRoomBytes;
  }
}
