/** Reads records by their offsets, out of what is committed and applied. */

import { type LogEntry, LogError, type LogStore } from "@quorumlog/log";
import { sometimes } from "@quorumlog/std";
import { asBuffer } from "./byte-order.ts";
import { type CacheLimits, EntryCache } from "./entry-cache.ts";
import { OpenedEntry } from "./opened-entry.ts";
import type { RecordPlaces, RecordRun } from "./record-places.ts";
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

/** Whoever wants more gets it from whole entries. */
const PART_BYTES_MAX = 64 * 1024;
/** How much of the log is looked at in one go. */
const STRETCH_BYTES = 1024 * 1024;
/**
 * At least so much on the way to the first record, and for whoever goes on where somebody stopped:
 * small entries are not fetched one by one.
 */
const AHEAD_BYTES = 128 * 1024;

/** What is kept for the next reader. */
export interface ReaderLimits {
  /** Entries with their data. */
  readonly opened: CacheLimits;
  /** Where records are in others. */
  readonly places: CacheLimits;
  /** Entries with fewer records are read whole: one of those is a good part of them. */
  readonly placesCountMin: number;
  /** So are those with smaller ones: to take the checksum of each costs more than to read them. */
  readonly placesBytesMin: number;
}

const MIB = 1024 * 1024;
const LIMITS: ReaderLimits = {
  opened: { bytesMax: 32 * MIB, countMax: 4_096 },
  places: { bytesMax: 24 * MIB, countMax: 32_768 },
  placesCountMin: 16,
  placesBytesMin: 512,
};

/** What is applied of the log, and which offsets it has. */
type AppliedState = Pick<StateKeeper, "appliedIndex" | "baseOffset" | "firstOffset"> & {
  readonly state: Pick<StateKeeper["state"], "nextOffset" | "offsets">;
};

/** What of the log is read. */
type ReadableLog = Pick<LogStore, "entries" | "firstIndex" | "part">;

export class RecordReader {
  readonly #log: ReadableLog;
  readonly #keeper: AppliedState;
  readonly #limits: ReaderLimits;
  /** What is applied stays as it is, so they are good for as long as they are in the log. */
  readonly #opened: EntryCache<OpenedEntry>;
  readonly #places: EntryCache<RecordPlaces>;

  constructor(log: ReadableLog, keeper: AppliedState, limits: ReaderLimits = LIMITS) {
    this.#log = log;
    this.#keeper = keeper;
    this.#limits = limits;
    this.#places = new EntryCache(limits.places);
    this.#opened = new EntryCache(limits.opened, (entry) => {
      this.#onForgotten(entry);
    });
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
    this.#readKnown(into);
    if (into.bytes < bytesMax && into.next < state.nextOffset) this.#readLog(into);
    return { records: into.records, nextOffset: into.next };
  }

  #onForgotten(entry: OpenedEntry): void {
    const { placesCountMin, placesBytesMin } = this.#limits;
    const { offset, recordCount, dataBytes } = entry;
    const isKept = recordCount >= placesCountMin && dataBytes >= placesBytesMin * recordCount;
    // Of one that was worn and read whole they are there still.
    if (isKept && this.#places.before(offset)?.offset !== offset) this.#places.add(entry.places());
  }

  #readKnown(into: Collection): void {
    while (into.bytes < into.bytesMax) {
      const entry = this.#opened.with(into.next);
      if (entry !== undefined) collect(entry, into);
      else if (!this.#readPart(into)) return;
    }
  }

  /** @returns false if the entry is to be read whole. */
  #readPart(into: Collection): boolean {
    const places = this.#places.with(into.next);
    const bytesMax = into.bytesMax - into.bytes;
    if (places === undefined || bytesMax > PART_BYTES_MAX) return false;
    const run = places.runFrom(into.next, bytesMax);
    if (places.isWorn(run)) return false;
    const part = this.#partOf(places.index, run);
    const records = part === undefined ? undefined : places.cut(run, part);
    if (records === undefined) {
      // With the whole entry comes what is wrong with it, and its repair.
      sometimes("part of an entry unreadable");
      return false;
    }
    sometimes("record read by itself");
    for (const data of records) push({ data, timestamp: places.timestamp }, into);
    return true;
  }

  #partOf(index: number, { start, end }: RecordRun): Buffer | undefined {
    try {
      const part = this.#log.part(index, start, end);
      return part === undefined ? undefined : asBuffer(part);
    } catch (error) {
      if (error instanceof LogError && error.code === "LOG_CORRUPT") return undefined;
      throw error;
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
      opened.keep();
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
    const places = this.#places.before(offset);
    const opened = this.#opened.before(offset);
    const nearest = (opened?.offset ?? -1) >= (places?.offset ?? -1) ? opened : places;
    if (nearest === undefined || nearest.index < known.index)
      return { ...known, isBehindOpened: false };
    const { index, nextOffset } = nearest;
    // One that has it, and whose data was let go of.
    if (nextOffset > offset) return { index, offset: nearest.offset, isBehindOpened: false };
    return { index: index + 1, offset: nextOffset, isBehindOpened: nearest === opened };
  }
}

function collect(entry: OpenedEntry, into: Collection): void {
  const { nextOffset, timestamp } = entry;
  while (into.next < nextOffset && into.bytes < into.bytesMax)
    push({ data: entry.record(into.next), timestamp }, into);
}

function push(record: Omit<LogRecord, "offset">, into: Collection): void {
  const { data, timestamp } = record;
  into.records.push({ offset: into.next, data, timestamp });
  into.bytes += Math.max(1, data.byteLength);
  into.next += 1;
}

function trimmed(from: number, firstOffset: number): ReplicaError {
  return new ReplicaError("TRIMMED", `the log begins at offset ${firstOffset}, behind ${from}`, {
    firstOffset,
  });
}
