/** The state machine: put, delete and compare-and-set, on a table of either kind. */

import type { Machine, RecordBatch } from "@quorumlog/replica";
import { rowProblem, type Table, type Tables, textCodec } from "@quorumlog/tables";

export const TABLE_NAMES: readonly string[] = ["values"];
/** What a command is answered with: statuses of HTTP, by the byte that stands for them. */
export const STATUSES: readonly number[] = [204, 409, 413];

export interface Command {
  readonly key: string;
  readonly value: string | null; // `null` deletes
  readonly expected: string | undefined; // only if it is this now; empty: only if nothing is
}

export class KeyValueMachine implements Machine {
  readonly #tables: Tables;
  readonly #values: Table<string>;

  constructor(tables: Tables) {
    this.#tables = tables;
    this.#values = tables.table("values", textCodec);
  }

  get = (key: string): string | undefined => this.#values.get(key);
  snapshot = (): Iterable<Uint8Array> => this.#tables.snapshot();
  restore = (chunks: Iterable<Uint8Array>): void => this.#tables.restore(chunks);
  apply = ({ records }: RecordBatch): Uint8Array[] =>
    records.map((record) => Buffer.of(STATUSES.indexOf(this.#execute(Buffer.from(record)))));

  #execute(record: Buffer): number {
    const { key, value, expected } = JSON.parse(record.toString()) as Command;
    if (expected !== undefined && (expected || undefined) !== this.get(key)) return 409;
    // What a table refuses would stop every replica: it is answered.
    if (value !== null && rowProblem(key, Buffer.from(value)) !== undefined) return 413;
    if (value === null) this.#values.delete(key);
    else this.#values.set(key, value);
    return 204;
  }
}
