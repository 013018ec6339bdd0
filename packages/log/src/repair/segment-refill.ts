/**
 * Fills a segment that is made anew: with what is still sound of the damaged file, and with what
 * others have for the rest.
 *
 * What others send has to be what was here: right by its checksum, in order, of terms that do not
 * fall, and where the damaged file's table is sound, of the very term that it names. An index and
 * a term name one entry for good, so that is the entry. Where the table is lost, all entries come
 * from others, who send only what is committed: of that, too, there is one for each index.
 */

import { crc32 } from "node:zlib";
import { assert } from "@quorumlog/std";
import type { LogEntry, LogPosition } from "../log-entry.ts";
import { LogError } from "../log-error.ts";
import type { Segment } from "../segment.ts";
import { type RewriteInit, SegmentRewrite } from "./segment-rewrite.ts";

/** Entries that are lacking: `[low, high)`. */
export interface WantedEntries {
  readonly low: number;
  readonly high: number;
  /** What has to precede them, where only the others can tell that it does. */
  readonly previous: LogPosition | undefined;
  /** Whether only entries of the very terms that were here are let through: each is the one. */
  readonly hasTerms: boolean;
  /** Why these cannot be the first of those that are wanted; `undefined` if they can. */
  readonly problemWith: (entries: readonly LogEntry[]) => string | undefined;
}

/** Others have another entry committed where `previous` is: what is here was replaced there. */
export class PrecededOtherwise extends Error {
  override readonly name = "PrecededOtherwise";
}

/**
 * Asks others for entries.
 *
 * @param done - Called later, once at most: with one entry or more from `low` on, in which
 *   `problemWith` finds nothing, or with why there are none: a {@link PrecededOtherwise}, or any
 *   other.
 */
export type FetchEntries = (
  wanted: WantedEntries,
  done: (answer: readonly LogEntry[] | Error) => void,
) => void;

export interface RefillInit extends RewriteInit {
  /** What is left, and where; `undefined` if nothing tells what is. */
  readonly source: Segment | undefined;
  /** What the segment has to hold: `[low, high)`. Without a source, as much of it as fits. */
  readonly low: number;
  readonly high: number;
  /** An entry whose term is known, at or behind the end: those before it have no higher one. */
  readonly follower: LogPosition | undefined;
  readonly fetch: FetchEntries;
}

/** What came of it: all is synced, and waits to be taken. */
export interface Refilled {
  readonly rewrite: SegmentRewrite;
  /** The last entry in it, or before it. */
  readonly last: LogPosition;
  readonly fetchedCount: number;
}

/** A file that was made anew. */
export interface SegmentRepaired {
  readonly file: string;
  /** Entries of it that came from others. */
  readonly fetchedCount: number;
}

const READ_BYTES = 1 << 20;
/** Damaged entries that are asked for in one go. */
const RUN_MAX = 4_096;

export class SegmentRefill {
  readonly #init: RefillInit;
  readonly #rewrite: SegmentRewrite;
  readonly #done: (result: Refilled | Error) => void;
  #last: LogPosition;
  #next: number;
  #fetchedCount = 0;
  #isFetching = false;
  #isStopped = false;

  /** @param done - Called later, once. Errors of the file system that are thrown come at once. */
  constructor(init: RefillInit, done: (result: Refilled | Error) => void) {
    assert(init.low <= init.high, "a segment holds a range");
    this.#init = init;
    this.#done = done;
    this.#last = init.previous;
    this.#next = init.low;
    this.#rewrite = new SegmentRewrite(init);
  }

  start(): void {
    this.#continue();
  }

  /** It ends with an error: at once, or when what is under way on the disk is over. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    if (this.#isFetching) this.#continue();
  }

  #continue(): void {
    const { low, high, source } = this.#init;
    assert(this.#next >= low && this.#next <= high, "nothing is written beyond the range");
    if (this.#isStopped) {
      this.#fail(new LogError("LOG_CLOSED", "the repair was called off"));
      return;
    }
    if (this.#next === high) {
      this.#finish();
      return;
    }
    try {
      const kept = source === undefined ? [] : soundFrom(source, this.#next, high);
      if (kept.length > 0) this.#write(kept);
      else this.#fetch();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #fetch(): void {
    const { source, high, fetch, follower } = this.#init;
    const low = this.#next;
    const end = source === undefined ? high : endOfDamage(source, low, high);
    const wanted = {
      low,
      high: end,
      previous: source === undefined ? this.#last : undefined,
      // Between two entries of one term there is no other.
      hasTerms: source !== undefined || follower?.term === this.#last.term,
      problemWith: (entries: readonly LogEntry[]) => this.#problemWith(entries, end),
    };
    this.#isFetching = true;
    fetch(wanted, (answer) => {
      // Nobody waits for it any more.
      if (this.#isStopped) return;
      this.#isFetching = false;
      if (answer instanceof Error) {
        this.#fail(answer);
        return;
      }
      assert(this.#problemWith(answer, end) === undefined, "what is fetched was looked at");
      this.#fetchedCount += answer.length;
      this.#write(answer);
    });
  }

  #problemWith(entries: readonly LogEntry[], high: number): string | undefined {
    const { source, follower } = this.#init;
    let index = this.#next;
    let { term } = this.#last;
    if (entries.length === 0) return "there are none";
    for (const entry of entries) {
      if (entry.index !== index || index >= high) return `entry ${entry.index} is out of order`;
      if (entry.term < term) return `entry ${index} is of term ${entry.term}, behind ${term}`;
      ({ term } = entry);
      if (source !== undefined && source.table.termOf(index) !== term)
        return `entry ${index} is of term ${term}, and was of ${source.table.termOf(index)}`;
      const isTooHigh =
        follower !== undefined &&
        (term > follower.term || (index === follower.index && term !== follower.term));
      if (isTooHigh) return `entry ${index} is of term ${term}, before ${follower.term}`;
      if (entry.checksum === undefined || crc32(entry.data) !== entry.checksum)
        return `entry ${index} is damaged`;
      index += 1;
    }
    return undefined;
  }

  #write(entries: readonly LogEntry[]): void {
    const count = this.#rewrite.write(entries, (error) => {
      if (error === undefined) this.#onWritten(entries, count);
      else this.#fail(error);
    });
    if (count === 0) this.#onFull();
  }

  #onWritten(entries: readonly LogEntry[], count: number): void {
    const { term, index } = entries[count - 1] as LogEntry;
    this.#last = { term, index };
    this.#next = index + 1;
    if (count < entries.length) this.#onFull();
    else this.#continue();
  }

  /** What goes beyond it is for the next segment, if there is one that lacks anything. */
  #onFull(): void {
    if (this.#init.source === undefined) this.#finish();
    else this.#fail(new LogError("LOG_TOO_LARGE", "what was in a segment does not fit into it"));
  }

  #finish(): void {
    const rewrite = this.#rewrite;
    rewrite.finish((error) => {
      if (error !== undefined) this.#fail(error);
      else this.#done({ rewrite, last: this.#last, fetchedCount: this.#fetchedCount });
    });
  }

  #fail(error: Error): void {
    this.#rewrite.abandon();
    this.#done(error);
  }
}

/** Sound entries from `low` on, one stretch; none if that one is damaged. */
function soundFrom(source: Segment, low: number, high: number): readonly LogEntry[] {
  return (
    readOrDamage(source, { low, high }, READ_BYTES) ??
    // A file that is cut short cannot be read in stretches that reach beyond its end.
    readOrDamage(source, { low, high: low + 1 }, 1) ??
    []
  );
}

function endOfDamage(source: Segment, low: number, high: number): number {
  const end = Math.min(high, low + RUN_MAX);
  let index = low + 1;
  while (index < end && readOrDamage(source, { low: index, high: index + 1 }, 1) === undefined)
    index += 1;
  return index;
}

/**
 * @returns `undefined` if the first entry is damaged or cannot be read, or is not of the term that
 *   the table names.
 */
export function readOrDamage(
  source: Segment,
  range: { readonly low: number; readonly high: number },
  bytesMax: number,
): readonly LogEntry[] | undefined {
  try {
    const entries = source.read(range, bytesMax);
    const wrong = entries.findIndex(({ term, index }) => source.table.termOf(index) !== term);
    if (wrong === 0) return undefined;
    return wrong === -1 ? entries : entries.slice(0, wrong);
  } catch (error) {
    if (error instanceof LogError) return undefined;
    throw error;
  }
}
