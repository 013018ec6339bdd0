/** One table of a set, as the values that its bytes stand for. */

import type { MemoryTable } from "@quorumlog/replica";
import type { Codec } from "./codec.ts";
import type { RowPlace } from "./table-set.ts";
import type { Table } from "./table.ts";

/** What a table is a view of: its rows change as a whole when they are restored. */
interface Rows {
  rows(number: number): MemoryTable;
  set(place: RowPlace, value: Uint8Array): void;
  delete(place: RowPlace): boolean;
}

export class TypedTable<Value> implements Table<Value> {
  readonly #rows: Rows;
  readonly #number: number;
  readonly #codec: Codec<Value>;

  constructor(rows: Rows, number: number, codec: Codec<Value>) {
    this.#rows = rows;
    this.#number = number;
    this.#codec = codec;
  }

  get size(): number {
    return this.#rows.rows(this.#number).size;
  }

  get(key: string): Value | undefined {
    const bytes = this.#rows.rows(this.#number).get(key);
    return bytes === undefined ? undefined : this.#codec.decode(bytes);
  }

  set(key: string, value: Value): void {
    this.#rows.set({ number: this.#number, key }, this.#codec.encode(value));
  }

  delete(key: string): boolean {
    return this.#rows.delete({ number: this.#number, key });
  }

  entries(): IterableIterator<[string, Value]> {
    return decoded(this.#rows.rows(this.#number).entries(), this.#codec);
  }

  keys(): IterableIterator<string> {
    return keysOf(this.#rows.rows(this.#number).entries());
  }
}

function* keysOf(rows: Iterable<[string, Uint8Array]>): Generator<string> {
  for (const [key] of rows) yield key;
}

function* decoded<Value>(
  rows: Iterable<[string, Uint8Array]>,
  codec: Codec<Value>,
): Generator<[string, Value]> {
  for (const [key, bytes] of rows) yield [key, codec.decode(bytes)];
}
