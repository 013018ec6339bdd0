/** Reads records by their offsets, out of what is committed and applied. */

import { type LogEntry, LogError, type LogStore } from "@quorumlog/log";
import { holdBytes } from "@quorumlog/std";
import { COMMAND_KIND, type Command, ContainerReader } from "./container.ts";
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
}

/** How much of the log is looked at in one go. */
const STRETCH_BYTES = 1024 * 1024;
/** The same on the way to the first record: small entries are not fetched one by one. */
const SEARCH_BYTES = 128 * 1024;

export class RecordReader {
  readonly #log: LogStore;
  readonly #keeper: StateKeeper;
  /** Where the last read ended: the next one mostly goes on from there. */
  #last: { readonly from: number; readonly place: Place } | undefined;

  constructor(log: LogStore, keeper: StateKeeper) {
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
    const records: LogRecord[] = [];
    if (from === state.nextOffset) return { records, nextOffset: from };
    const collection = { from, bytesMax, records, bytes: 0 };
    let place = this.#placeOf(from);
    while (place.index <= this.#keeper.appliedIndex && collection.bytes < bytesMax) {
      const bytesLeft = Math.max(Math.min(STRETCH_BYTES, bytesMax), searchBytes(place, from));
      const entries = this.#entriesFrom(place.index, bytesLeft, records.length > 0);
      // What comes before damage is read without it.
      if (entries === "damaged") break;
      if (entries === undefined) throw trimmed(from, this.#keeper.firstOffset);
      for (const { index, kind, data } of entries) {
        // The last one may have been taken in part: the next read looks at it again.
        if (collection.bytes >= bytesMax) break;
        const count = records.length;
        const offset =
          kind === "normal" ? this.#collect(index, data, place.offset, collection) : place.offset;
        // Whoever gets records keeps them as long as it likes.
        if (records.length > count) holdBytes(data);
        if (collection.bytes >= bytesMax && offset > nextOffsetOf(collection)) break;
        place = { index: index + 1, offset };
      }
    }
    const nextOffset = nextOffsetOf(collection);
    this.#last = { from: nextOffset, place };
    return { records, nextOffset };
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

  #placeOf(offset: number): Place {
    if (this.#last?.from === offset && this.#last.place.index > this.#log.base().index)
      return this.#last.place;
    const start = { index: this.#log.firstIndex(), offset: this.#keeper.baseOffset };
    const sample = this.#keeper.state.offsets.find(offset);
    return sample === undefined || sample.index < start.index ? start : sample;
  }

  /** @returns the next offset behind the entry. */
  #collect(index: number, data: Uint8Array, offset: number, into: Collection): number {
    const container = ContainerReader.open(data);
    if (container === undefined) return offset;
    let next = offset;
    let number = 0;
    for (let command = container.next(); command !== undefined; command = container.next()) {
      if (this.#isStored(index, number, command, next)) {
        const first = next;
        next += command.recordCount;
        if (next > into.from) collectRecords(container, command, first, into);
      }
      number += 1;
    }
    return next;
  }

  #isStored(index: number, number: number, command: Command, next: number): boolean {
    if (command.kind !== COMMAND_KIND.records) return false;
    if (command.offset !== -1 && command.offset !== next) return false;
    return !this.#keeper.state.offsets.isRejected(index, number);
  }
}

interface Collection {
  readonly from: number;
  readonly bytesMax: number;
  readonly records: LogRecord[];
  bytes: number;
}

function collectRecords(
  container: ContainerReader,
  command: Command,
  first: number,
  into: Collection,
): void {
  const { timestamp } = container;
  const skipCount = Math.max(0, into.from - first);
  let offset = first + skipCount;
  for (const data of container.records(command, skipCount)) {
    if (into.bytes >= into.bytesMax) return;
    into.records.push({ offset, data, timestamp });
    into.bytes += Math.max(1, data.byteLength);
    offset += 1;
  }
}

function searchBytes(place: Place, from: number): number {
  return place.offset < from ? SEARCH_BYTES : 0;
}

function nextOffsetOf({ from, records }: Collection): number {
  return (records.at(-1)?.offset ?? from - 1) + 1;
}

function trimmed(from: number, firstOffset: number): ReplicaError {
  return new ReplicaError("TRIMMED", `the log begins at offset ${firstOffset}, behind ${from}`, {
    firstOffset,
  });
}
