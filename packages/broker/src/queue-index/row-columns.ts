/**
 * Rows of one queue in memory, and as they lie in a file: four columns of doubles in a row each.
 *
 *     f64 baseOffset, f64 logOffset, f64 storeTimestamp, u32 recordCount, u32 bytes
 *
 * Little endian, as is every machine that Node.js runs on with this file.
 */

import { assert } from "@quorumlog/std";
import type { IndexRow, RowView } from "./index-row.ts";

export const ROW_BYTES = 32;
const ROW_DOUBLES = 4;
const ROW_WORDS = 8;
const ROWS_MIN = 8;

assert(new Uint8Array(new Uint16Array([1]).buffer)[0] === 1, "index files are little endian");

export class RowColumns implements RowView {
  #doubles: Float64Array;
  #words: Uint32Array;
  #count: number;

  private constructor(buffer: ArrayBufferLike, count: number) {
    this.#doubles = new Float64Array(buffer);
    this.#words = new Uint32Array(buffer);
    this.#count = count;
  }

  static empty(): RowColumns {
    return new RowColumns(new ArrayBuffer(ROWS_MIN * ROW_BYTES), 0);
  }

  /** @param bytes - A whole number of rows; copied, unless they begin where doubles can. */
  static over(bytes: Buffer): RowColumns {
    const isAligned = bytes.byteOffset % Float64Array.BYTES_PER_ELEMENT === 0;
    const own = isAligned ? bytes : Buffer.from(new Uint8Array(bytes).buffer);
    const columns = new RowColumns(new ArrayBuffer(0), own.length / ROW_BYTES);
    columns.#doubles = new Float64Array(own.buffer, own.byteOffset, own.length / 8);
    columns.#words = new Uint32Array(own.buffer, own.byteOffset, own.length / 4);
    return columns;
  }

  get count(): number {
    return this.#count;
  }

  push(row: IndexRow): void {
    const at = this.#count;
    if (at > 0) assert(row.baseOffset >= this.endOffset(at - 1), "a queue's offsets only grow");
    if (at * ROW_DOUBLES === this.#doubles.length) this.#grow();
    this.#doubles[at * ROW_DOUBLES] = row.baseOffset;
    this.#doubles[at * ROW_DOUBLES + 1] = row.logOffset;
    this.#doubles[at * ROW_DOUBLES + 2] = row.storeTimestamp;
    this.#words[at * ROW_WORDS + 6] = row.endOffset - row.baseOffset;
    this.#words[at * ROW_WORDS + 7] = row.bytes;
    this.#count += 1;
  }

  row(at: number): IndexRow {
    const baseOffset = this.#doubles[at * ROW_DOUBLES] as number;
    return {
      baseOffset,
      endOffset: this.endOffset(at),
      logOffset: this.logOffset(at),
      storeTimestamp: this.storeTimestamp(at),
      bytes: this.#words[at * ROW_WORDS + 7] as number,
    };
  }

  endOffset(at: number): number {
    const count = this.#words[at * ROW_WORDS + 6] as number;
    return (this.#doubles[at * ROW_DOUBLES] as number) + count;
  }

  logOffset(at: number): number {
    return this.#doubles[at * ROW_DOUBLES + 1] as number;
  }

  storeTimestamp(at: number): number {
    return this.#doubles[at * ROW_DOUBLES + 2] as number;
  }

  /** @returns the rows as they lie in a file: a view. */
  bytes(): Buffer {
    const { buffer, byteOffset } = this.#doubles;
    return Buffer.from(buffer, byteOffset, this.#count * ROW_BYTES);
  }

  #grow(): void {
    const larger = new ArrayBuffer(2 * this.#count * ROW_BYTES);
    const doubles = new Float64Array(larger);
    doubles.set(this.#doubles);
    this.#doubles = doubles;
    this.#words = new Uint32Array(larger);
  }
}
