/** Tables in memory alone: after a restart their rows come from the last snapshot and the log. */

import type { Codec } from "./codec.ts";
import type { LateRow, LateRows } from "./late-rows.ts";
import { TableSet } from "./table-set.ts";
import type { Table, Tables } from "./table.ts";

export class MemoryTables implements Tables {
  readonly #set: TableSet;

  /**
   * @param names - Of all tables: 1 to 64 letters, digits, `_`, `.` or `-` each.
   * @throws RangeError
   */
  constructor(names: readonly string[]) {
    this.#set = new TableSet(names);
  }

  table<Value>(name: string, codec: Codec<Value>): Table<Value> {
    return this.#set.table(name, codec);
  }

  late<Row extends LateRow>(write: (row: Row) => void): LateRows<Row> {
    return this.#set.late(write);
  }

  snapshot(): Iterable<Uint8Array> {
    return this.#set.snapshot();
  }

  restore(chunks: Iterable<Uint8Array>): void {
    this.#set.restore(chunks);
  }
}
