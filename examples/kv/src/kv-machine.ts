/** The state machine: put, delete and compare-and-set, on a table in memory. */

import { type Machine, MemoryTable, type RecordBatch } from "@quorumlog/replica";

export interface Command {
  readonly key: string;
  /** `null` deletes. */
  readonly value: string | null;
  /** Only if this is what stands there now; `null`: only if nothing does. */
  readonly expected?: string | null;
}

export class KeyValueMachine implements Machine {
  readonly #table = new MemoryTable();

  get(key: string): string | undefined {
    return this.#table.get(key)?.toString();
  }

  apply({ records }: RecordBatch): Uint8Array[] {
    return records.map((record) => {
      const isDone = this.#execute(JSON.parse(Buffer.from(record).toString()) as Command);
      return Buffer.of(isDone ? 1 : 0);
    });
  }

  snapshot(): Iterable<Uint8Array> {
    return this.#table.snapshot();
  }

  restore(chunks: Iterable<Uint8Array>): void {
    this.#table.restore(chunks);
  }

  #execute({ key, value, expected }: Command): boolean {
    const current = this.get(key) ?? null;
    if (expected !== undefined && expected !== current) return false;
    if (value === null) this.#table.delete(key);
    else this.#table.set(key, Buffer.from(value));
    return true;
  }
}
