/** The state machine: put, delete and compare-and-set, on a table of either kind. */

import type { Machine, RecordBatch } from "@quorumlog/replica";
import { rowProblem, type Table, type Tables, textCodec } from "@quorumlog/tables";

export interface Command {
  readonly key: string;
  /** `null` deletes. */
  readonly value: string | null;
  /** Only if this is what stands there now; `null`: only if nothing does. */
  readonly expected?: string | null;
}

export const TABLE_NAMES: readonly string[] = ["values"];

/** What a command is answered with. */
export const ANSWER = { mismatch: 0, done: 1, refused: 2 } as const;

export class KeyValueMachine implements Machine {
  readonly #tables: Tables;
  readonly #values: Table<string>;

  constructor(tables: Tables) {
    this.#tables = tables;
    this.#values = tables.table("values", textCodec);
  }

  get(key: string): string | undefined {
    return this.#values.get(key);
  }

  apply({ records }: RecordBatch): Uint8Array[] {
    return records.map((record) => {
      return Buffer.of(this.#execute(JSON.parse(Buffer.from(record).toString()) as Command));
    });
  }

  snapshot(): Iterable<Uint8Array> {
    return this.#tables.snapshot();
  }

  restore(chunks: Iterable<Uint8Array>): void {
    this.#tables.restore(chunks);
  }

  #execute({ key, value, expected }: Command): number {
    const current = this.get(key) ?? null;
    if (expected !== undefined && expected !== current) return ANSWER.mismatch;
    if (value === null) {
      this.#values.delete(key);
      return ANSWER.done;
    }
    // What a table refuses would stop every replica: it is answered.
    if (rowProblem(key, Buffer.from(value)) !== undefined) return ANSWER.refused;
    this.#values.set(key, value);
    return ANSWER.done;
  }
}
