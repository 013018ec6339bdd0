/**
 * A state machine whose state says how often it was applied to, and that a model can follow: the
 * record at an offset decides what is changed.
 */

import { createHash } from "node:crypto";
import type { Machine, RecordBatch, StatePosition } from "@quorumlog/replica";
import { jsonCodec, type Tables } from "../../src/index.ts";

export const COUNTING_TABLES: readonly string[] = ["counts", "rows"];

/** A row that is set, or deleted if it has no value. As text, it is part of programs. */
export function changeAt(offset: number): { key: string; value: Buffer | undefined } {
  const key = `k${(offset * 7919) % 300}`;
  if (offset % 5 === 4) return { key, value: undefined };
  return { key, value: Buffer.alloc(1 + ((offset * 797) % 9000), offset % 251) };
}

const bytesCodec = {
  encode: (value: Uint8Array): Uint8Array => value,
  decode: (bytes: Uint8Array): Uint8Array => bytes,
};

export class CountingMachine implements Machine {
  readonly tables: Tables;
  /** Since the process began. */
  appliedCount = 0;
  /** Up to which offset files of its own would go. */
  readonly coveredOffset: number;
  /** Offsets of states. */
  readonly asked: number[] = [];
  #failingCount = Number.POSITIVE_INFINITY;

  constructor(tables: Tables, coveredOffset: number = Number.POSITIVE_INFINITY) {
    this.tables = tables;
    this.coveredOffset = coveredOffset;
  }

  /** How many records there were, as the state itself says. */
  get count(): number {
    return this.tables.table("counts", jsonCodec<number>()).get("records") ?? 0;
  }

  /** As a bug does: in the middle of what came at once, with so many records. */
  failAt(count: number): void {
    this.#failingCount = count;
  }

  apply({ offset, records }: RecordBatch): Uint8Array[] {
    const counts = this.tables.table("counts", jsonCodec<number>());
    const rows = this.tables.table("rows", bytesCodec);
    return records.map((_record, i) => {
      if (this.count === this.#failingCount) throw new Error("a bug of the state machine");
      const { key, value } = changeAt(offset + i);
      if (value === undefined) rows.delete(key);
      else rows.set(key, value);
      counts.set("records", this.count + 1);
      this.appliedCount += 1;
      return Buffer.from(`${offset + i}`);
    });
  }

  snapshot(): Iterable<Uint8Array> {
    return this.tables.snapshot();
  }

  restore(chunks: Iterable<Uint8Array>): void {
    this.tables.restore(chunks);
  }

  covers({ offset }: StatePosition): boolean {
    this.asked.push(offset);
    return offset <= this.coveredOffset;
  }

  /** Each row, as a short text. */
  rows(): string[] {
    return Array.from(this.tables.table("rows", bytesCodec).entries(), described);
  }
}

/** What the rows are behind so many records. */
export function modelAt(count: number): string[] {
  const rows = new Map<string, Buffer>();
  for (let offset = 0; offset < count; offset++) {
    const { key, value } = changeAt(offset);
    if (value === undefined) rows.delete(key);
    else rows.set(key, value);
  }
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(described);
}

function described([key, value]: readonly [string, Uint8Array]): string {
  return `${key} ${value.byteLength} ${createHash("sha1").update(value).digest("hex")}`;
}
