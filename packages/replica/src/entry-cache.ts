/** What is kept of entries that were read of late, by the offsets that they have. */

/** Entries that have records, and no two of them the same. */
export interface CachedEntry {
  readonly offset: number;
  readonly nextOffset: number;
  /** What it takes in memory, about. */
  readonly bytes: number;
}

export interface CacheLimits {
  readonly bytesMax: number;
  readonly countMax: number;
}

/** So many are forgotten at a time. */
const FORGOTTEN_SHARE = 1 / 8;

interface Kept<Entry> {
  readonly entry: Entry;
  usedAt: number;
}

export class EntryCache<Entry extends CachedEntry> {
  readonly #limits: CacheLimits;
  readonly #onForgotten: (entry: Entry) => void;
  /** By offset. */
  #entries: Kept<Entry>[] = [];
  #bytes = 0;
  /** Counts uses. */
  #now = 0;

  constructor(limits: CacheLimits, onForgotten: (entry: Entry) => void = () => undefined) {
    this.#limits = limits;
    this.#onForgotten = onForgotten;
  }

  /** @returns the entry that has the record. */
  with(offset: number): Entry | undefined {
    const kept = this.#entries[this.#after(offset) - 1];
    if (kept === undefined || offset >= kept.entry.nextOffset) return undefined;
    kept.usedAt = ++this.#now;
    return kept.entry;
  }

  /** @returns the nearest one that begins there or before. */
  before(offset: number): Entry | undefined {
    return this.#entries[this.#after(offset) - 1]?.entry;
  }

  /** Leaves one that is there as it is. */
  add(entry: Entry): void {
    const at = this.#after(entry.offset);
    if (this.#entries[at - 1]?.entry.offset === entry.offset) return;
    this.#entries.splice(at, 0, { entry, usedAt: ++this.#now });
    this.#bytes += entry.bytes;
    const { bytesMax, countMax } = this.#limits;
    if (this.#entries.length > countMax || this.#bytes > bytesMax) this.#forgetOldest();
  }

  /** How many begin at an offset or before. */
  #after(offset: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.entry.offset ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** But not the last one that was used. */
  #forgetOldest(): void {
    const byUse = this.#entries.toSorted((a, b) => a.usedAt - b.usedAt);
    const newest = byUse.pop();
    const countMax = this.#limits.countMax * (1 - FORGOTTEN_SHARE);
    const bytesMax = this.#limits.bytesMax * (1 - FORGOTTEN_SHARE);
    let left = this.#entries.length;
    let usedAfter = 0;
    const forgotten: Entry[] = [];
    for (const { entry, usedAt } of byUse) {
      if (left <= countMax && this.#bytes <= bytesMax) break;
      left -= 1;
      this.#bytes -= entry.bytes;
      usedAfter = usedAt;
      forgotten.push(entry);
    }
    this.#entries = this.#entries.filter((kept) => kept === newest || kept.usedAt > usedAfter);
    for (const entry of forgotten) this.#onForgotten(entry);
  }
}
