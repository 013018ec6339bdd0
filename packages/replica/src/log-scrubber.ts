/**
 * Reads all sealed segments of a log through, again and again, slowly: damage that nobody has met
 * yet can still be repaired, as long as others have what was there.
 *
 *     segment after segment, slice after slice ──> all read ──> a rest ──> from the oldest on
 */

import type { LogError, SealedSegments } from "@quorumlog/log";

export interface ScrubPace {
  /** 0 if nothing is to be read. */
  readonly bytesPerSecond: number;
  /** From the end of one to the start of the next. */
  readonly restMs: number;
}

export interface LogScrubberInit {
  readonly sealed: SealedSegments;
  readonly pace: ScrubPace;
  readonly after: (delayMs: number, run: () => void) => void;
  readonly wallTime: () => number;
  readonly onDamage: (segmentId: number, error: LogError) => void;
}

/** A read of so many holds nobody up for long. */
const SLICE_BYTES_MAX = 256 * 1024;
/** A slow scrub reads less at a time, not seldom. */
const SLICES_PER_SECOND = 4;
const FIRST_REST_MS = 5_000;

export class LogScrubber {
  readonly #init: LogScrubberInit;
  readonly #sliceBytes: number;
  /** The segment that is being read, and where in it to go on. */
  #segmentId = 0;
  #next: number | undefined;
  #completedAt: number | undefined;

  constructor(init: LogScrubberInit) {
    const { bytesPerSecond } = init.pace;
    this.#init = init;
    this.#sliceBytes = Math.min(SLICE_BYTES_MAX, Math.ceil(bytesPerSecond / SLICES_PER_SECOND));
    // A start is busy enough.
    if (bytesPerSecond > 0) this.#later(Math.min(FIRST_REST_MS, init.pace.restMs));
  }

  /** When all was read last, in milliseconds since 1970. */
  get completedAt(): number | undefined {
    return this.#completedAt;
  }

  #later(delayMs: number): void {
    this.#init.after(delayMs, () => {
      this.#read();
    });
  }

  #read(): void {
    const { sealed, pace, wallTime, onDamage } = this.#init;
    const id = this.#next === undefined ? this.#idBehind() : this.#segmentId;
    if (id === undefined) {
      this.#segmentId = 0;
      this.#completedAt = wallTime();
      this.#later(pace.restMs);
      return;
    }
    this.#segmentId = id;
    const { next, bytes, damage } = sealed.scrub(id, this.#next, this.#sliceBytes);
    this.#next = next;
    if (damage !== undefined) onDamage(id, damage);
    this.#later((bytes / pace.bytesPerSecond) * 1_000);
  }

  #idBehind(): number | undefined {
    return this.#init.sealed.ids().find((id) => id > this.#segmentId);
  }
}
