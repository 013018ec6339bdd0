/**
 * Entries that were read of late: many readers want other records of the same entry, and to read,
 * verify and walk a MiB for each of them would cost a thousand times what they get.
 */

import type { OpenedEntry } from "./opened-entry.ts";

const BYTES_MAX = 32 * 1024 * 1024;
const COUNT_MAX = 4_096;
/** Of them: so many are forgotten at a time. */
const FORGOTTEN_SHARE = 1 / 8;

interface Kept {
  readonly opened: OpenedEntry;
  usedAt: number;
}

export class OpenedEntries {
  /** By offset; no two of them have the same records. */
  #entries: Kept[] = [];
  #bytes = 0;
  /** Counts uses. */
  #now = 0;

  /** @returns the entry that has the record. */
  with(offset: number): OpenedEntry | undefined {
    const entry = this.#entries[this.#after(offset) - 1];
    if (entry === undefined || offset >= entry.opened.nextOffset) return undefined;
    entry.usedAt = ++this.#now;
    return entry.opened;
  }

  /** @returns the nearest one that ends there or before. */
  before(offset: number): OpenedEntry | undefined {
    return this.#entries[this.#after(offset) - 1]?.opened;
  }

  /** @param opened - Which has records. */
  add(opened: OpenedEntry): void {
    const at = this.#after(opened.offset);
    if (this.#entries[at - 1]?.opened.offset === opened.offset) return;
    this.#entries.splice(at, 0, { opened, usedAt: ++this.#now });
    this.#bytes += opened.bytes;
    if (this.#entries.length > COUNT_MAX || this.#bytes > BYTES_MAX) this.#forgetOldest();
  }

  /** How many begin at an offset or before. */
  #after(offset: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.opened.offset ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** But not the last one that was used. */
  #forgetOldest(): void {
    const byUse = this.#entries.toSorted((a, b) => a.usedAt - b.usedAt);
    const newest = byUse.pop();
    const countMax = COUNT_MAX * (1 - FORGOTTEN_SHARE);
    const bytesMax = BYTES_MAX * (1 - FORGOTTEN_SHARE);
    let left = this.#entries.length;
    let usedAfter = 0;
    for (const { opened, usedAt } of byUse) {
      if (left <= countMax && this.#bytes <= bytesMax) break;
      left -= 1;
      this.#bytes -= opened.bytes;
      usedAfter = usedAt;
    }
    this.#entries = this.#entries.filter((kept) => kept === newest || kept.usedAt > usedAfter);
  }
}
