/**
 * Where the records of an entry are, without its data: who wants one of a thousand reads that one
 * from the disk, and not a MiB. Their checksums were taken of data that had been verified whole.
 */

import { crc32 } from "node:zlib";

/** Consecutive records of an entry. */
export interface RecordRun {
  /** The offset of the first one. */
  readonly offset: number;
  readonly count: number;
  /** Bytes `[start, end)` of the entry's data have them all. */
  readonly start: number;
  readonly end: number;
}

/** Of a record: where it starts in the data, its length, its CRC-32. */
const COLUMNS = 3;
const COLUMN_BYTES = 4;
/** Beside its columns. */
const OBJECT_BYTES = 200;
/** When so much of an entry was read by parts, it costs no more to read it whole. */
const WORN_SHARE = 1 / 4;

export class RecordPlaces {
  readonly index: number;
  /** Of its first record. */
  readonly offset: number;
  /** When its leader made it, milliseconds since 1970. */
  readonly timestamp: number;
  readonly #columns: Uint32Array;
  #recordBytes = 0;
  #readBytes = 0;

  constructor(
    entry: Pick<RecordPlaces, "index" | "offset" | "timestamp">,
    records: readonly { readonly start: number; readonly data: Uint8Array }[],
  ) {
    this.index = entry.index;
    this.offset = entry.offset;
    this.timestamp = entry.timestamp;
    this.#columns = new Uint32Array(COLUMNS * records.length);
    let at = 0;
    for (const { start, data } of records) {
      this.#columns[at] = start;
      this.#columns[at + 1] = data.byteLength;
      this.#columns[at + 2] = crc32(data);
      this.#recordBytes += data.byteLength;
      at += COLUMNS;
    }
  }

  /** The offset behind it. */
  get nextOffset(): number {
    return this.offset + this.#columns.length / COLUMNS;
  }

  /** What it takes in memory, about. */
  get bytes(): number {
    return OBJECT_BYTES + COLUMN_BYTES * this.#columns.length;
  }

  /**
   * @param offset - Of a record that it has.
   * @returns the records from there on that have `bytesMax` bytes together, at least one; an empty
   *   one counts as a byte, or there would be no end of them.
   */
  runFrom(offset: number, bytesMax: number): RecordRun {
    const from = COLUMNS * (offset - this.offset);
    let bytes = 0;
    let at = from;
    while (at < this.#columns.length && (at === from || bytes < bytesMax)) {
      bytes += Math.max(1, this.#at(at + 1));
      at += COLUMNS;
    }
    const end = this.#at(at - COLUMNS) + this.#at(at - COLUMNS + 1);
    return { offset, count: (at - from) / COLUMNS, start: this.#at(from), end };
  }

  /** Counts what is read by parts. @returns whether the entry should be read whole by now. */
  isWorn({ start, end }: RecordRun): boolean {
    this.#readBytes += end - start;
    const isWorn = this.#readBytes > WORN_SHARE * this.#recordBytes;
    if (isWorn) this.#readBytes = 0;
    return isWorn;
  }

  /**
   * @param part - What stands where the run was.
   * @returns its records, as views; `undefined` if one of them is damaged.
   */
  cut({ offset, count, start }: RecordRun, part: Buffer): Buffer[] | undefined {
    const records: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      const at = COLUMNS * (offset - this.offset + i);
      const from = this.#at(at) - start;
      const record = part.subarray(from, from + this.#at(at + 1));
      if (record.length !== this.#at(at + 1) || crc32(record) !== this.#at(at + 2))
        return undefined;
      records.push(record);
    }
    return records;
  }

  #at(column: number): number {
    return this.#columns[column] as number;
  }
}
