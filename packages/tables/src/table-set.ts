/**
 * The rows of all tables of a state machine, in memory, and the bytes of their snapshot.
 *
 *     f64 bytes of the names of the tables that have rows, and they as JSON, in order
 *     of each of them, in that order:  f64 count of rows, and they, ordered by key
 *     a row:  u32 bytes of the key, u32 bytes of the value, both
 *
 * Nothing in it tells of how the tables came to be: equal rows give equal bytes. Nor of tables that
 * are empty: those that a later version has more are, until it is allowed to fill them.
 */

import { MemoryTable, PieceSource } from "@quorumlog/replica";
import { assert } from "@quorumlog/std";
import type { Codec } from "./codec.ts";
import { type LateRow, LateRows } from "./late-rows.ts";
import { rowProblem } from "./row-limits.ts";
import { StateVersionError } from "./state-version-error.ts";
import type { Table } from "./table.ts";
import { TypedTable } from "./typed-table.ts";

const COUNT_BYTES = 8;
const LENGTHS_BYTES = 8;
const NAME = /^[\w.-]{1,64}$/;
const TABLE_COUNT_MAX = 255;
/** As JSON, with quotes and commas; no state has more. */
const NAMES_BYTES_MAX = TABLE_COUNT_MAX * (64 + 3) + 1;
const SAID_MAX = 400;

/** Wants to know of changes. */
export interface RowWatcher {
  /** Before a row is changed: what it was. */
  onChange(place: RowPlace, former: Uint8Array | undefined, bytes: number): void;
  /** All rows were replaced. */
  onReplaced(): void;
}

export interface RowPlace {
  /** Of the table, from 0 on. */
  readonly number: number;
  readonly key: string;
}

export class TableSet {
  /** In order. */
  readonly names: readonly string[];
  readonly #watcher: RowWatcher | undefined;
  #tables: readonly MemoryTable[];
  /** What the rows of the tables lack. */
  readonly #late: Pick<LateRows<never>, "bytes" | "save" | "clear">[] = [];

  /** @throws RangeError for names that are none, or are not different. */
  constructor(names: readonly string[], watcher?: RowWatcher) {
    const wrong = names.find((name) => !NAME.test(name));
    if (wrong !== undefined) throw new RangeError(`tables: "${wrong}" is not of 1 to 64 [\\w.-]`);
    if (new Set(names).size !== names.length) throw new RangeError("tables: two have one name");
    if (names.length > TABLE_COUNT_MAX)
      throw new RangeError(`tables: ${names.length} are more than ${TABLE_COUNT_MAX}`);
    this.names = [...names].sort();
    this.#watcher = watcher;
    this.#tables = this.emptyTables();
  }

  /** @throws RangeError */
  table<Value>(name: string, codec: Codec<Value>): Table<Value> {
    const number = this.names.indexOf(name);
    if (number === -1) throw new RangeError(`tables: there is no "${name}"`);
    return new TypedTable(this, number, codec);
  }

  late<Row extends LateRow>(write: (row: Row) => void): LateRows<Row> {
    const rows = new LateRows(write);
    this.#late.push(rows);
    return rows;
  }

  /** Roughly, of late rows that are not written. */
  get lateBytes(): number {
    return this.#late.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** From here on the rows of the tables are what they are to be. */
  saveLate(): void {
    for (const rows of this.#late) rows.save();
  }

  rows(number: number): MemoryTable {
    const table = this.#tables[number];
    assert(table !== undefined, "a table's number is below their count");
    return table;
  }

  /** @throws RangeError before anything is changed. */
  set(place: RowPlace, value: Uint8Array): void {
    const { number, key } = place;
    const problem = rowProblem(key, value);
    if (problem !== undefined) throw new RangeError(problem);
    const rows = this.rows(number);
    this.#watcher?.onChange(place, rows.get(key), value.byteLength);
    rows.set(key, value);
  }

  delete(place: RowPlace): boolean {
    const rows = this.rows(place.number);
    const former = rows.get(place.key);
    if (former === undefined) return false;
    this.#watcher?.onChange(place, former, 0);
    return rows.delete(place.key);
  }

  snapshot(): Iterable<Uint8Array> {
    this.saveLate();
    const filled = this.names.filter((_, number) => this.rows(number).size > 0);
    const tables = this.#tables.filter(({ size }) => size > 0);
    return images(
      filled,
      tables.map((table) => ({ count: table.size, rows: table.snapshot() })),
    );
  }

  /** @throws StateVersionError if it has rows of tables that there are not: of another version. */
  restore(chunks: Iterable<Uint8Array>): void {
    const source = new PieceSource(chunks);
    const tables = this.emptyTables();
    const namesBytes = source.take(COUNT_BYTES)?.readDoubleLE(0);
    // Of a machine that has applied nothing, there is none.
    if (namesBytes !== undefined) {
      const isLength = namesBytes >= 0 && namesBytes <= NAMES_BYTES_MAX;
      const text = isLength ? source.take(namesBytes)?.toString("utf8") : undefined;
      const isNamed = (name: string): boolean => text?.includes(JSON.stringify(name)) === true;
      if (text !== JSON.stringify(this.names.filter(isNamed))) {
        const own = said(JSON.stringify(this.names));
        throw new StateVersionError(`the state has tables ${said(text)}: this version has ${own}`);
      }
      for (const [number, table] of tables.entries()) {
        if (!isNamed(this.names[number] as string)) continue;
        const count = source.take(COUNT_BYTES);
        assert(count !== undefined, "a snapshot of tables is whole");
        readRows(source, count.readDoubleLE(0), table);
      }
    }
    assert(source.take(1) === undefined, "a snapshot has no tables but those of its machine");
    assert(source.isAtEnd, "a snapshot of tables is whole");
    this.replace(tables);
    this.#watcher?.onReplaced();
  }

  emptyTables(): MemoryTable[] {
    return this.names.map(() => new MemoryTable());
  }

  /** Takes other rows, without a word to the watcher. */
  replace(tables: readonly MemoryTable[]): void {
    assert(tables.length === this.names.length, "each table has its rows");
    this.#tables = tables;
    for (const rows of this.#late) rows.clear();
  }
}

/** It may be of another format: then it is anything, of any length. */
function said(names: string | undefined): string {
  if (names === undefined) return "that are not named where they should be";
  return names.length <= SAID_MAX ? names : `${names.slice(0, SAID_MAX)}...`;
}

interface TableImage {
  readonly count: number;
  readonly rows: Iterable<Uint8Array>;
}

function* images(names: readonly string[], tables: readonly TableImage[]): Generator<Uint8Array> {
  const text = Buffer.from(JSON.stringify(names));
  yield numberBytes(text.length);
  yield text;
  for (const { count, rows } of tables) {
    yield numberBytes(count);
    yield* rows;
  }
}

function numberBytes(value: number): Buffer {
  const bytes = Buffer.alloc(COUNT_BYTES);
  bytes.writeDoubleLE(value, 0);
  return bytes;
}

function readRows(source: PieceSource, count: number, table: MemoryTable): void {
  for (let i = 0; i < count; i++) {
    const lengths = source.take(LENGTHS_BYTES);
    assert(lengths !== undefined, "a snapshot of tables is whole");
    const keyBytes = lengths.readUInt32LE(0);
    const row = source.take(keyBytes + lengths.readUInt32LE(4));
    assert(row !== undefined, "a snapshot of tables is whole");
    table.set(row.toString("utf8", 0, keyBytes), row.subarray(keyBytes));
  }
}
