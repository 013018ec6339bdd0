/**
 * A table in memory, for state machines: keys are text, values are bytes.
 *
 * Rows are kept in order, so a snapshot is at once, whatever the size: it is read, and what changes
 * meanwhile is copied, piece by piece.
 */

import { assert } from "@quorumlog/std";
import { PieceSource } from "./piece-source.ts";
import { type Row, RowTree } from "./row-tree.ts";

const LENGTHS_BYTES = 8;
/** Half of a pair: no UTF-8 stands for it, and all of them would come back as one key. */
const LONE_SURROGATE = /\p{Surrogate}/u;

export class MemoryTable {
  #rows = new RowTree();

  get size(): number {
    return this.#rows.size;
  }

  get(key: string): Uint8Array | undefined {
    return this.#rows.get(key);
  }

  /**
   * @param key - Well-formed, as `String.prototype.isWellFormed` says. A state machine looks before
   *   it sets one that it was given, and answers: what `apply` throws stops every replica.
   * @param value - Belongs to the table from here on.
   * @throws TypeError for a key that is not well-formed, before anything is changed.
   */
  set(key: string, value: Uint8Array): void {
    if (LONE_SURROGATE.test(key)) throw new TypeError("key: has half of a surrogate pair");
    this.#rows.set(key, value);
  }

  delete(key: string): boolean {
    return this.#rows.delete(key);
  }

  /** The rows as they are now, ordered by key. */
  entries(): IterableIterator<[string, Uint8Array]> {
    return rowsOf(this.#rows.freeze());
  }

  /** The table as it is now, ordered by key. */
  snapshot(): Iterable<Uint8Array> {
    return pieces(this.#rows.freeze());
  }

  /**
   * Becomes what `snapshot` gave; stays what it is if the chunks throw.
   *
   * @param chunks - Belong to the table from here on.
   */
  restore(chunks: Iterable<Uint8Array>): void {
    const rows = new RowTree();
    const source = new PieceSource(chunks);
    for (;;) {
      const lengths = source.take(LENGTHS_BYTES);
      if (lengths === undefined) break;
      const keyBytes = lengths.readUInt32LE(0);
      const row = source.take(keyBytes + lengths.readUInt32LE(4));
      assert(row !== undefined, "a table's rows are whole");
      rows.set(row.toString("utf8", 0, keyBytes), row.subarray(keyBytes));
    }
    assert(source.isAtEnd, "a table's rows are whole");
    this.#rows = rows;
  }
}

function* rowsOf(groups: Iterable<readonly Row[]>): Generator<[string, Uint8Array]> {
  for (const group of groups) for (const [key, value] of group) yield [key, value];
}

/** Of each row: u32 bytes of the key, u32 bytes of the value, and both. */
function* pieces(groups: Iterable<readonly Row[]>): Generator<Uint8Array> {
  for (const group of groups) {
    const keys = group.map(([key]) => Buffer.byteLength(key));
    const bytes = group.reduce(
      (sum, [, value], i) => sum + LENGTHS_BYTES + (keys[i] as number) + value.byteLength,
      0,
    );
    const piece = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const [i, [key, value]] of group.entries()) {
      at = piece.writeUInt32LE(keys[i] as number, at);
      at = piece.writeUInt32LE(value.byteLength, at);
      at += piece.write(key, at, "utf8");
      piece.set(value, at);
      at += value.byteLength;
    }
    yield piece;
  }
}
