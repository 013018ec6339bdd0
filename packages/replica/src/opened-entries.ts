/**
 * Entries that were read of late: many readers want other records of the same entry, and to read,
 * verify and walk a MiB for each of them would cost a thousand times what they get.
 */

import type { OpenedEntry } from "./opened-entry.ts";

const BYTES_MAX = 32 * 1024 * 1024;
const COUNT_MAX = 256;

export class OpenedEntries {
  /** By offset; no two of them have the same records. */
  readonly #entries: { readonly opened: OpenedEntry; usedAt: number }[] = [];
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
    while (this.#entries.length > COUNT_MAX || this.#bytes > BYTES_MAX) {
      if (this.#entries.length === 1) return;
      this.#forgetOldest();
    }
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

  #forgetOldest(): void {
    let oldest = 0;
    for (const [at, { usedAt }] of this.#entries.entries())
      if (usedAt < (this.#entries[oldest]?.usedAt ?? 0)) oldest = at;
    const [gone] = this.#entries.splice(oldest, 1);
    this.#bytes -= gone?.opened.bytes ?? 0;
  }
}
