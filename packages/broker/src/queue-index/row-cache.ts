/** The rows that were read last from files: of neighbours in a queue, they are asked for again. */

import { ROW_BYTES, type RowColumns } from "./row-columns.ts";

export class RowCache {
  readonly #bytesMax: number;
  /** What was used last is last. */
  readonly #entries = new Map<string, RowColumns>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(name: string, read: () => RowColumns): RowColumns {
    const known = this.#entries.get(name);
    if (known !== undefined) {
      this.#entries.delete(name);
      this.#entries.set(name, known);
      return known;
    }
    const rows = read();
    this.#entries.set(name, rows);
    this.#bytes += rows.count * ROW_BYTES;
    for (const [oldest, dropped] of this.#entries) {
      if (this.#bytes <= this.#bytesMax || oldest === name) break;
      this.#entries.delete(oldest);
      this.#bytes -= dropped.count * ROW_BYTES;
    }
    return rows;
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}
