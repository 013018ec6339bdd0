/**
 * The newest entries, in memory: what followers ask for, and what is not on the disk yet.
 *
 * Entries are let go from the old end, once they are on the disk and there are more than
 * `bytesMax`. Memory that is used again is held until then; that of entries which are cut off is
 * held for good, as they may still be on their way to the disk.
 */

import { assert, holdBytes, releaseBytes } from "@quorumlog/std";
import { entryBytes, type LogEntry } from "./log-entry.ts";
import type { EntryRange } from "./log-store.ts";

export class LogTail {
  readonly #bytesMax: number;
  /** Those that were let go are `undefined`. */
  #entries: (LogEntry | undefined)[] = [];
  /** Entries before it are gone; the array is cut when they are many. */
  #head = 0;
  #bytes = 0;
  /** The index of the next entry. */
  #nextIndex: number;

  constructor(init: { readonly nextIndex: number; readonly bytesMax: number }) {
    this.#nextIndex = init.nextIndex;
    this.#bytesMax = init.bytesMax;
  }

  /** The first index here; `nextIndex` if there is none. */
  get firstIndex(): number {
    return this.#nextIndex - (this.#entries.length - this.#head);
  }

  get nextIndex(): number {
    return this.#nextIndex;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param index - One that is here. */
  at(index: number): LogEntry {
    const entry = this.#entries[this.#head + index - this.firstIndex];
    assert(entry !== undefined && entry.index === index, "the tail holds the entry");
    return entry;
  }

  /** @param range - `[low, high)`, all of it here. */
  read(range: EntryRange): LogEntry[] {
    const { low, high, bytesMax } = range;
    const from = this.#head + low - this.firstIndex;
    let bytes = 0;
    let count = 0;
    while (count < high - low) {
      bytes += entryBytes(this.#entries[from + count] as LogEntry);
      if (bytes > bytesMax && count > 0) break;
      count += 1;
    }
    return this.#entries.slice(from, from + count) as LogEntry[];
  }

  /** @param index - One that is here. @returns a copy of bytes `[start, end)` of its data. */
  part(index: number, start: number, end: number): Buffer {
    return Buffer.from(this.at(index).data.subarray(start, end));
  }

  append(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.#nextIndex, "the tail has no gap");
      holdBytes(entry.data);
      this.#entries.push(entry);
      this.#bytes += entryBytes(entry);
      this.#nextIndex += 1;
    }
  }

  /** Forgets the entries from `index` on; the next one has that index. */
  cutFrom(index: number): void {
    if (index >= this.#nextIndex) return;
    const { firstIndex } = this;
    while (this.#entries.length > this.#head && this.#nextIndex > index) {
      this.#bytes -= entryBytes(this.#entries.pop() as LogEntry);
      this.#nextIndex -= 1;
    }
    if (index < firstIndex) this.#nextIndex = index;
  }

  /** Starts anew. */
  reset(nextIndex: number): void {
    this.#entries = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#nextIndex = nextIndex;
  }

  /** Lets go of what is too much, up to `syncedIndex`. */
  release(syncedIndex: number): void {
    while (this.#bytes > this.#bytesMax && this.firstIndex <= syncedIndex) {
      const entry = this.#entries[this.#head] as LogEntry;
      this.#bytes -= entryBytes(entry);
      releaseBytes(entry.data);
      this.#entries[this.#head] = undefined;
      this.#head += 1;
    }
    if (this.#head < 1024 || this.#head * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }
}
