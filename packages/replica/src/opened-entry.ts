/** An entry of the log whose records are found by their offsets. */

import type { LogEntry } from "@quorumlog/log";
import { holdBytes } from "@quorumlog/std";
import { asBuffer } from "./byte-order.ts";
import { COMMAND_KIND, ContainerReader } from "./container.ts";
import type { OffsetIndex } from "./offset-index.ts";
import { RecordPlaces } from "./record-places.ts";

const LENGTH_BYTES = 4;
/** Beside the entry's own: of what says where a record is. */
const RECORD_BYTES = 8;
/** An entry that has less of the memory that it is in is copied: it would keep all of that. */
const COPIED_SHARE = 1 / 4;

export class OpenedEntry {
  readonly index: number;
  /** Of its first record. */
  readonly offset: number;
  /** When its leader made it, milliseconds since 1970. */
  readonly timestamp: number;
  #data: Buffer;
  /** Of each record, where it is in the data. */
  readonly #starts: readonly number[];

  /**
   * @param offset - That was next when it was applied.
   * @param offsets - Which commands' records were not stored.
   */
  constructor({ index, kind, data }: LogEntry, offset: number, offsets: OffsetIndex) {
    const container = kind === "normal" ? ContainerReader.open(data) : undefined;
    this.index = index;
    this.offset = offset;
    this.timestamp = container?.timestamp ?? 0;
    // The same class wherever the bytes came from: users see it.
    this.#data = asBuffer(data);
    this.#starts = container === undefined ? [] : startsOf(container, { index, offset }, offsets);
  }

  /** The offset behind it. */
  get nextOffset(): number {
    return this.offset + this.#starts.length;
  }

  get recordCount(): number {
    return this.#starts.length;
  }

  /** Of the entry. */
  get dataBytes(): number {
    return this.#data.length;
  }

  /** What it takes in memory, about. */
  get bytes(): number {
    return this.#data.length + RECORD_BYTES * this.#starts.length;
  }

  /**
   * Makes the data good for as long as anybody has it: readers keep records for as long as they
   * like, and this may be kept, too.
   */
  keep(): void {
    const isSmall = this.#data.length < COPIED_SHARE * this.#data.buffer.byteLength;
    if (isSmall) this.#data = Buffer.from(this.#data);
    else holdBytes(this.#data);
  }

  /** What is left of it without its data. */
  places(): RecordPlaces {
    const records = this.#starts.map((start, i) => {
      return { start, data: this.record(this.offset + i) };
    });
    return new RecordPlaces(this, records);
  }

  /**
   * @param offset - In `[offset, nextOffset)`.
   * @returns a view of the entry's data.
   */
  record(offset: number): Buffer {
    const start = this.#starts[offset - this.offset] as number;
    const length = this.#data.readUInt32LE(start - LENGTH_BYTES);
    return this.#data.subarray(start, start + length);
  }
}

function startsOf(
  container: ContainerReader,
  { index, offset }: { readonly index: number; readonly offset: number },
  offsets: OffsetIndex,
): number[] {
  const starts: number[] = [];
  let number = 0;
  for (let command = container.next(); command !== undefined; command = container.next()) {
    const isRecords = command.kind === COMMAND_KIND.records;
    const isInPlace = command.offset === -1 || command.offset === offset + starts.length;
    if (isRecords && isInPlace && !offsets.isRejected(index, number))
      container.addStarts(command, starts);
    number += 1;
  }
  return starts;
}
