/** Which rows have changed since the last cut, and what they were then. */

import { rowChecksum, storedKey } from "./stored-row.ts";
import type { RowPlace, TableSet } from "./table-set.ts";
import type { RowChange } from "./write-behind.ts";

/** Of a change in memory, besides its key and its value. */
const CHANGE_BYTES = 128;

interface Change {
  readonly storedKey: Buffer;
  readonly formerChecksum: number | undefined;
}

export class RowChanges {
  /** By number of the table, then by key. */
  readonly #changes: Map<string, Change>[];
  #bytes = 0;

  constructor(tableCount: number) {
    this.#changes = Array.from({ length: tableCount }, () => new Map<string, Change>());
  }

  /** Roughly what the changes, and the values they came to, take in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Notes that a row is about to change. */
  note({ number, key }: RowPlace, former: Uint8Array | undefined, bytes: number): void {
    this.#bytes += bytes;
    const changes = this.#changes[number];
    if (changes === undefined || changes.has(key)) return;
    const stored = storedKey(number + 1, key);
    const formerChecksum = former === undefined ? undefined : rowChecksum(stored, former);
    changes.set(key, { storedKey: stored, formerChecksum });
    this.#bytes += CHANGE_BYTES + stored.length;
  }

  /** All changes, with the rows as they are now; from here on there are none. */
  take(set: TableSet): RowChange[] {
    const taken: RowChange[] = [];
    for (const [number, changes] of this.#changes.entries()) {
      const rows = set.rows(number);
      for (const [key, { storedKey: stored, formerChecksum }] of changes)
        taken.push({ key: stored, value: rows.get(key), formerChecksum });
    }
    this.clear();
    return taken;
  }

  clear(): void {
    for (const changes of this.#changes) changes.clear();
    this.#bytes = 0;
  }
}
