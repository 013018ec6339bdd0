/** A state machine, and a checkpoint of it on a disk that is as slow as a test says. */

import type {
  Checkpoint,
  CheckpointCut,
  CheckpointInit,
  CheckpointPosition,
} from "../../src/checkpoint.ts";
import type { Machine, RecordBatch } from "../../src/machine.ts";

interface Kept {
  readonly position: CheckpointPosition;
  readonly rows: ReadonlyMap<string, Uint8Array>;
  readonly records: readonly string[];
}

export class MemoryCheckpoint implements Machine, Checkpoint {
  /** In the order of their offsets. */
  records: string[] = [];
  /** Since the process began. */
  appliedCount = 0;
  changedBytes = 0;
  isWhole = true;
  /** What the disk holds. */
  kept: Kept | undefined;
  readonly pending: Kept[] = [];
  #rows = new Map<string, Uint8Array>();
  #onDurable: () => void = () => undefined;

  get pendingBytes(): number {
    return this.pending.length;
  }

  apply({ records }: RecordBatch): readonly Uint8Array[] {
    this.appliedCount += records.length;
    for (const record of records) this.records.push(Buffer.from(record).toString());
    return records;
  }

  snapshot(): Iterable<Uint8Array> {
    return [Buffer.from(JSON.stringify(this.records))];
  }

  restore(chunks: Iterable<Uint8Array>): void {
    const text = Buffer.concat([...chunks]).toString();
    this.records = text === "" ? [] : (JSON.parse(text) as string[]);
    this.isWhole = true;
  }

  open({ onDurable }: Pick<CheckpointInit, "onDurable">): CheckpointPosition | undefined {
    this.#onDurable = onDurable;
    return this.kept?.position;
  }

  load(): ReadonlyMap<string, Uint8Array> | undefined {
    if (this.kept === undefined) return undefined;
    this.#rows = new Map(this.kept.rows);
    this.records = [...this.kept.records];
    this.isWhole = false;
    return this.#rows;
  }

  cut({ position, rows }: CheckpointCut): void {
    if (this.isWhole) this.#rows.clear();
    this.isWhole = false;
    this.changedBytes = 0;
    for (const { key, value } of rows)
      if (value === undefined) this.#rows.delete(key);
      else this.#rows.set(key, value);
    this.pending.push({ position, rows: new Map(this.#rows), records: [...this.records] });
  }

  /** The disk is done with the oldest cut. */
  settleOne(): void {
    const next = this.pending.shift();
    if (next === undefined) return;
    this.kept = next;
    this.#onDurable();
  }

  /** The process ends. */
  crash(): void {
    this.pending.length = 0;
    this.records = [];
    this.appliedCount = 0;
    this.changedBytes = 0;
    this.isWhole = true;
    this.#rows = new Map();
  }

  close(onClosed: () => void): void {
    onClosed();
  }
}
