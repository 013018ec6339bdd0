/**
 * Tables of a state machine: keys are text, values are what their codec says.
 *
 * What `apply` reads is in memory, whatever the kind; the kinds differ in what is left when the
 * process ends. Replicas of one group may use either: equal contents give equal snapshots.
 */

import type { Codec } from "./codec.ts";
import type { LateRow, LateRows } from "./late-rows.ts";

export interface Table<Value> {
  readonly size: number;

  get(key: string): Value | undefined;

  /**
   * @throws RangeError for a row beyond the limits, before anything is changed. What `apply` throws
   *   stops every replica: a state machine asks `rowProblem` first, and answers.
   */
  set(key: string, value: Value): void;

  /** @returns whether it was there. */
  delete(key: string): boolean;

  /** The rows as they are now, ordered by key, whatever is changed meanwhile. */
  entries(): IterableIterator<[string, Value]>;

  /** Those of `entries`; no value is decoded for them. */
  keys(): IterableIterator<string>;
}

export interface Tables {
  /**
   * The table of that name. The same rows each time: give each name one codec.
   *
   * @throws RangeError for a name that was not given when the tables were made.
   */
  table<Value>(name: string, codec: Codec<Value>): Table<Value>;

  /**
   * For rows that change too often to be encoded each time.
   *
   * @param write - Sets the row in its table; called when the tables are taken.
   */
  late<Row extends LateRow>(write: (row: Row) => void): LateRows<Row>;

  /** All tables as they are now, in pieces that are made as they are pulled. */
  snapshot(): Iterable<Uint8Array>;

  /**
   * Become what `snapshot` gave; nothing at all stands for empty tables. They stay what they are
   * if the chunks throw.
   *
   * @param chunks - Belong to the tables from here on.
   * @throws StateVersionError if they have rows of a table that there is not.
   */
  restore(chunks: Iterable<Uint8Array>): void;
}
