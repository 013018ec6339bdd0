/**
 * Rows that change with every batch: held as objects, and written into their table when that is
 * taken, for a cut or a snapshot. One that has changed a thousand times until then is encoded once.
 */

/** Held by whoever changes it. */
export interface LateRow {
  /** Set by {@link LateRows.touch}. A row that is to be deleted is given `false`. */
  isChanged: boolean;
}

/** Roughly what a changed row will take in memory, as a change and as a value. */
const ROW_BYTES = 192;

export class LateRows<Row extends LateRow> {
  readonly #write: (row: Row) => void;
  #changed: Row[] = [];

  /** @param write - Sets the row of its table. */
  constructor(write: (row: Row) => void) {
    this.#write = write;
  }

  /** Roughly, of what is not written yet. */
  get bytes(): number {
    return ROW_BYTES * this.#changed.length;
  }

  /** The row has changed. */
  touch(row: Row): void {
    if (row.isChanged) return;
    row.isChanged = true;
    this.#changed.push(row);
  }

  /** Writes those that have changed. */
  save(): void {
    const changed = this.#changed;
    this.#changed = [];
    for (const row of changed) {
      if (!row.isChanged) continue;
      row.isChanged = false;
      this.#write(row);
    }
  }

  /** Forgets what has changed: other rows have taken the place of all. */
  clear(): void {
    this.#changed = [];
  }
}
