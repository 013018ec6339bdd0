/**
 * Where the entries of one segment stand, and of which term they are. The footer is its bytes:
 *
 *      0  u64  first index
 *      8  u32  count of entries
 *     12  u32  count of terms
 *     16       for each term: u64 its first index, u64 the term
 *              for each entry: u32 offset of its frame in the file
 */

import { assert } from "@quorumlog/std";
import { readUInt64, writeUInt64 } from "./frame.ts";

const HEADER_BYTES = 16;
const RUN_BYTES = 16;

interface TermRun {
  readonly firstIndex: number;
  readonly term: number;
}

export class EntryTable {
  #firstIndex = 0;
  #count = 0;
  #offsets = new Uint32Array(256);
  #runs: TermRun[] = [];

  /** Meaningless while `count` is 0. */
  get firstIndex(): number {
    return this.#firstIndex;
  }

  get lastIndex(): number {
    return this.#firstIndex + this.#count - 1;
  }

  get count(): number {
    return this.#count;
  }

  /** Of the footer that these entries make. */
  get encodedBytes(): number {
    return HEADER_BYTES + this.#runs.length * RUN_BYTES + this.#count * 4;
  }

  /** Takes an entry in, in place of those from its index on. */
  add(entry: { readonly index: number; readonly term: number }, offset: number): void {
    const { index, term } = entry;
    if (this.#count > 0 && index <= this.lastIndex) this.cutFrom(index);
    if (this.#count === 0) this.#firstIndex = index;
    assert(index === this.lastIndex + 1, "the entries of a segment have no gap");
    if (this.#count === this.#offsets.length) {
      const grown = new Uint32Array(this.#offsets.length * 2);
      grown.set(this.#offsets);
      this.#offsets = grown;
    }
    this.#offsets[this.#count] = offset;
    this.#count += 1;
    if (this.#runs.at(-1)?.term !== term) this.#runs.push({ firstIndex: index, term });
  }

  /** Forgets the entries from `index` on. */
  cutFrom(index: number): void {
    if (this.#count === 0 || index > this.lastIndex) return;
    this.#count = Math.max(0, index - this.#firstIndex);
    while ((this.#runs.at(-1)?.firstIndex ?? 0) >= index) this.#runs.pop();
  }

  clear(): void {
    this.#count = 0;
    this.#runs = [];
  }

  has(index: number): boolean {
    return this.#count > 0 && index >= this.#firstIndex && index <= this.lastIndex;
  }

  /** @param index - One that it has. */
  offsetOf(index: number): number {
    return this.#offsets[index - this.#firstIndex] as number;
  }

  /** @param index - One that it has. */
  termOf(index: number): number {
    const runs = this.#runs;
    let at = runs.length - 1;
    while (at > 0 && (runs[at] as TermRun).firstIndex > index) at -= 1;
    return (runs[at] as TermRun).term;
  }

  /** As it is now, whatever becomes of this one. */
  copy(): EntryTable {
    const table = new EntryTable();
    table.#firstIndex = this.#firstIndex;
    table.#count = this.#count;
    table.#offsets = this.#offsets.slice();
    table.#runs = [...this.#runs];
    return table;
  }

  encode(): Buffer {
    const bytes = Buffer.alloc(this.encodedBytes);
    writeUInt64(bytes, this.#firstIndex, 0);
    bytes.writeUInt32LE(this.#count, 8);
    bytes.writeUInt32LE(this.#runs.length, 12);
    let at = HEADER_BYTES;
    for (const { firstIndex, term } of this.#runs) {
      writeUInt64(bytes, firstIndex, at);
      writeUInt64(bytes, term, at + 8);
      at += RUN_BYTES;
    }
    for (let i = 0; i < this.#count; i++, at += 4)
      bytes.writeUInt32LE(this.#offsets[i] as number, at);
    return bytes;
  }

  /** @returns `undefined` if these are not the bytes of a table. */
  static decode(bytes: Buffer): EntryTable | undefined {
    if (bytes.length < HEADER_BYTES) return undefined;
    const count = bytes.readUInt32LE(8);
    const runCount = bytes.readUInt32LE(12);
    if (bytes.length !== HEADER_BYTES + runCount * RUN_BYTES + count * 4) return undefined;
    const table = new EntryTable();
    table.#firstIndex = readUInt64(bytes, 0);
    table.#count = count;
    let at = HEADER_BYTES;
    for (let run = 0; run < runCount; run++, at += RUN_BYTES)
      table.#runs.push({ firstIndex: readUInt64(bytes, at), term: readUInt64(bytes, at + 8) });
    table.#offsets = new Uint32Array(Math.max(count, 1));
    for (let i = 0; i < count; i++, at += 4) table.#offsets[i] = bytes.readUInt32LE(at);
    return table;
  }
}
