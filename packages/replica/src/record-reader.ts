/** Reads records by their offsets, out of what is committed and applied. */

import { type LogEntry, LogError, type LogStore } from "@quorumlog/log";
import { holdBytes } from "@quorumlog/std";
import { OpenedEntries } from "./opened-entries.ts";
import { OpenedEntry } from "./opened-entry.ts";
import { ReplicaError } from "./replica-error.ts";
import type { StateKeeper } from "./state-keeper.ts";

export interface LogRecord {
  readonly offset: number;
  /**
   * A view into the log: good for as long as it is held. Copy it before you write to it: other
   * readers see the same bytes, and a follower that is sent them refuses them, again and again.
   */
  readonly data: Uint8Array;
  /** When its leader took it in, milliseconds since 1970. */
  readonly timestamp: number;
}

export interface ReadResult {
  /** Contiguous; none at the end of the log. */
  readonly records: readonly LogRecord[];
  /** Where to read on. */
  readonly nextOffset: number;
}

/** Where an entry is, and the offset that was next when it was applied. */
interface Place {
  readonly index: number;
  readonly offset: number;
  /** The one before it was read of late. */
  readonly isBehindOpened: boolean;
}

interface Collection {
  readonly bytesMax: number;
  readonly records: LogRecord[];
  bytes: number;
  /** The offset of the next record. */
  next: number;
}

/** How much of the log is looked at in one go. */
const STRETCH_BYTES = 1024 * 1024;
/**
 * At least so much on the way to the first record, and for whoever goes on where somebody stopped:
 * small entries are not fetched one by one.
 */
const AHEAD_BYTES = 128 * 1024;

/** What is applied of the log, and which offsets it has. */
type AppliedState = Pick<StateKeeper, "appliedIndex" | "baseOffset" | "firstOffset"> & {
  readonly state: Pick<StateKeeper["state"], "nextOffset" | "offsets">;
};

export class RecordReader {
  readonly #log: Pick<LogStore, "entries" | "firstIndex">;
  readonly #keeper: AppliedState;
  /** What is applied stays as it is, so they are good for as long as they are in the log. */
  readonly #opened = new OpenedEntries();

  constructor(log: Pick<LogStore, "entries" | "firstIndex">, keeper: AppliedState) {
    this.#log = log;
    this.#keeper = keeper;
  }

  /**
   * The records from `from` on, up to `bytesMax` bytes but at least one, as far as they are
   * committed and applied here, and up to the first that is damaged.
   *
   * @throws ReplicaError `TRIMMED`, `BEYOND_END`; LogError `LOG_CORRUPT`
   */
  read(from: number, bytesMax: number): ReadResult {
    const { firstOffset, state } = this.#keeper;
    if (from < firstOffset) throw trimmed(from, firstOffset);
    if (from > state.nextOffset)
      throw new ReplicaError("BEYOND_END", `from: ${from} is beyond ${state.nextOffset}`, {
        nextOffset: state.nextOffset,
      });
    const into: Collection = { bytesMax, records: [], bytes: 0, next: from };
    this.#readOpened(into);
    if (into.bytes < bytesMax && into.next < state.nextOffset) this.#readLog(into);
    return { records: into.records, nextOffset: into.next };
  }

  #readOpened(into: Collection): void {
    while (into.bytes < into.bytesMax) {
      const entry = this.#opened.with(into.next);
      if (entry === undefined) return;
      collect(entry, into);
    }
  }

  #readLog(into: Collection): void {
    const { records, bytesMax } = into;
    let place = this.#placeOf(into.next);
    while (place.index <= this.#keeper.appliedIndex && into.bytes < bytesMax) {
      const wanted = Math.min(STRETCH_BYTES, bytesMax - into.bytes);
      const isOnTheWay = place.isBehindOpened || place.offset < into.next;
      const bytes = isOnTheWay ? Math.max(wanted, AHEAD_BYTES) : wanted;
      const entries = this.#entriesFrom(place.index, bytes, records.length > 0);
      // What comes before damage is read without it.
      if (entries === "damaged") return;
      if (entries === undefined) throw trimmed(into.next, this.#keeper.firstOffset);
      for (const entry of entries) place = this.#open(entry, place, into);
    }
  }

  /** @returns the place behind the entry. */
  #open(entry: LogEntry, { index, offset }: Place, into: Collection): Place {
    const opened = new OpenedEntry(entry, offset, this.#keeper.state.offsets);
    const { nextOffset } = opened;
    if (nextOffset > into.next && nextOffset > offset) {
      // Whoever gets records keeps them as long as it likes.
      holdBytes(entry.data);
      this.#opened.add(opened);
      collect(opened, into);
    }
    return { index: index + 1, offset: nextOffset, isBehindOpened: true };
  }

  #entriesFrom(
    low: number,
    bytesMax: number,
    hasRecords: boolean,
  ): readonly LogEntry[] | "damaged" | undefined {
    try {
      return this.#log.entries({ low, high: this.#keeper.appliedIndex + 1, bytesMax });
    } catch (error) {
      if (hasRecords && error instanceof LogError && error.code === "LOG_CORRUPT") return "damaged";
      throw error;
    }
  }

  /** Where to begin to walk: the nearest that is known, of those that are still in the log. */
  #placeOf(offset: number): Place {
    const { state, baseOffset } = this.#keeper;
    const start = { index: this.#log.firstIndex(), offset: baseOffset };
    const sample = state.offsets.find(offset) ?? start;
    const known = sample.index > start.index ? sample : start;
    const opened = this.#opened.before(offset);
    if (opened === undefined || opened.index + 1 < known.index)
      return { ...known, isBehindOpened: false };
    return { index: opened.index + 1, offset: opened.nextOffset, isBehindOpened: true };
  }
}

function collect(entry: OpenedEntry, into: Collection): void {
  const { nextOffset, timestamp } = entry;
  while (into.next < nextOffset && into.bytes < into.bytesMax) {
    const data = entry.record(into.next);
    into.records.push({ offset: into.next, data, timestamp });
    into.bytes += Math.max(1, data.byteLength);
    into.next += 1;
  }
}

function trimmed(from: number, firstOffset: number): ReplicaError {
  return new ReplicaError("TRIMMED", `the log begins at offset ${firstOffset}, behind ${from}`, {
    firstOffset,
  });
}
