/**
 * Reads all that lies still through, again and again, slowly: damage that nobody has met yet can
 * still be repaired, as long as others have what was there.
 *
 *     segments, slice after slice ──> snapshots ──> all read ──> a rest ──> from the oldest on
 */

export interface ScrubPace {
  /** 0 if nothing is to be read. */
  readonly bytesPerSecond: number;
  /** From the end of one to the start of the next. */
  readonly restMs: number;
}

/** Files that are read one after the other. */
export interface ScrubSource {
  /**
   * Reads on, and tells of damage.
   *
   * @returns how many bytes; `undefined` behind the last one, and the next call is for the first.
   */
  read(bytesMax: number): number | undefined;

  /** Nothing is read any more. Idempotent. */
  stop(): void;
}

export interface ScrubberInit {
  /** In this order. */
  readonly sources: readonly ScrubSource[];
  readonly pace: ScrubPace;
  readonly after: (delayMs: number, run: () => void) => void;
  readonly wallTime: () => number;
}

/** A read of so many holds nobody up for long. */
const SLICE_BYTES_MAX = 256 * 1024;
/** A slow scrub reads less at a time, not seldom. */
const SLICES_PER_SECOND = 4;
const FIRST_REST_MS = 5_000;

export class Scrubber {
  readonly #init: ScrubberInit;
  readonly #sliceBytes: number;
  /** The source that is being read. */
  #at = 0;
  #completedAt: number | undefined;

  constructor(init: ScrubberInit) {
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

  stop(): void {
    for (const source of this.#init.sources) source.stop();
  }

  #later(delayMs: number): void {
    this.#init.after(delayMs, () => {
      this.#read();
    });
  }

  #read(): void {
    const { sources, pace, wallTime } = this.#init;
    const source = sources[this.#at];
    if (source === undefined) {
      this.#at = 0;
      this.#completedAt = wallTime();
      this.#later(pace.restMs);
      return;
    }
    const bytes = source.read(this.#sliceBytes);
    if (bytes === undefined) this.#at += 1;
    this.#later(((bytes ?? 0) / pace.bytesPerSecond) * 1_000);
  }
}
