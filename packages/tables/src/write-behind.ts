/**
 * Writes cuts one after another, each as one transaction, and never two at a time: if one fails,
 * nothing that came after it may be there.
 *
 *     changes  rows and record in one transaction
 *     whole    the other generation is filled bit by bit, one small transaction each; one more lets
 *              the record say that it counts; then the former one is emptied
 *
 * So whatever a whole state has in bytes, no turn of the event loop has to deal with all of it, and
 * a crash leaves one generation or the other.
 */

import { CheckpointError } from "@quorumlog/replica";
import { assert } from "@quorumlog/std";
import { type CheckpointRecord, encodeRecord, type Generation } from "./checkpoint-record.ts";
import type { LmdbEnvironment, StoredRow } from "./lmdb-environment.ts";
import { rowChecksum, storedValue } from "./stored-row.ts";

export interface RowChange {
  readonly key: Buffer;
  readonly value: Uint8Array | undefined;
  /** Of the row as the cut before left it; `undefined` if there was none. */
  readonly formerChecksum: number | undefined;
}

/** What a cut says beyond its rows. */
export type RecordHead = Omit<CheckpointRecord, "generation" | "rowCount" | "digest">;

export type WriteJob =
  | {
      readonly kind: "changes";
      readonly head: RecordHead;
      readonly rows: readonly RowChange[];
      /** Roughly, in memory. */
      readonly bytes: number;
    }
  | { readonly kind: "whole"; readonly head: RecordHead; readonly rows: Iterable<WholeRow> };

export interface WholeRow {
  readonly key: Buffer;
  readonly value: Uint8Array;
}

export interface WriteBehindInit {
  readonly environment: LmdbEnvironment;
  readonly directory: string;
  /** What is there. */
  readonly record: CheckpointRecord | undefined;
  readonly onDurable: () => void;
  readonly onFailure: (error: CheckpointError) => void;
}

/** Of rows in one transaction of a whole state: what one turn deals with. */
const FILL_BYTES = 512 * 1024;

export class WriteBehind {
  readonly #init: WriteBehindInit;
  readonly #queue: WriteJob[] = [];
  #generation: Generation;
  #rowCount: number;
  #digest: number;
  #pendingBytes = 0;
  #running: Promise<void> | undefined;
  #hasFailed = false;

  constructor(init: WriteBehindInit) {
    this.#init = init;
    this.#generation = init.record?.generation ?? 0;
    this.#rowCount = init.record?.rowCount ?? 0;
    this.#digest = init.record?.digest ?? 0;
  }

  /** Of changes that are not on the disk. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  push(job: WriteJob): void {
    if (this.#hasFailed) return;
    if (job.kind === "changes") this.#pendingBytes += job.bytes;
    this.#queue.push(job);
    this.#running ??= this.#run();
  }

  /** Settles when nothing is under way; never rejects. */
  async drained(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      for (let job = this.#queue[0]; job !== undefined; job = this.#queue[0]) {
        if (job.kind === "whole") await this.#writeWhole(job.head, job.rows);
        else await this.#writeChanges(job.head, job.rows);
        this.#queue.shift();
        if (job.kind === "changes") this.#pendingBytes -= job.bytes;
        this.#init.onDurable();
      }
    } catch (cause) {
      this.#fail(cause);
    }
    this.#running = undefined;
  }

  async #writeChanges(head: RecordHead, rows: readonly RowChange[]): Promise<void> {
    const stored: StoredRow[] = [];
    for (const { key, value, formerChecksum } of rows) {
      if (formerChecksum !== undefined) this.#count(-1, formerChecksum);
      if (value === undefined) stored.push({ key, value: undefined });
      else stored.push(this.#storedRow(key, value));
    }
    await this.#init.environment.write(this.#generation, stored, this.#record(head));
  }

  async #writeWhole(head: RecordHead, rows: Iterable<WholeRow>): Promise<void> {
    const { environment } = this.#init;
    const former = this.#generation;
    this.#generation = former === 0 ? 1 : 0;
    this.#rowCount = 0;
    this.#digest = 0;
    // A crash may have left a part of another state there.
    await environment.clear(this.#generation);
    let part: StoredRow[] = [];
    let bytes = 0;
    for (const { key, value } of rows) {
      part.push(this.#storedRow(key, value));
      bytes += key.length + value.byteLength;
      if (bytes < FILL_BYTES) continue;
      await environment.write(this.#generation, part, undefined);
      part = [];
      bytes = 0;
    }
    await environment.write(this.#generation, part, this.#record(head));
    await environment.clear(former);
  }

  #storedRow(key: Buffer, value: Uint8Array): StoredRow {
    const checksum = rowChecksum(key, value);
    this.#count(1, checksum);
    return { key, value: storedValue(value, checksum) };
  }

  #count(rows: 1 | -1, checksum: number): void {
    this.#rowCount += rows;
    this.#digest = (this.#digest ^ checksum) >>> 0;
    assert(this.#rowCount >= 0, "no row is removed that was not there");
  }

  #record(head: RecordHead): Buffer {
    const [generation, rowCount, digest] = [this.#generation, this.#rowCount, this.#digest];
    return encodeRecord({ ...head, generation, rowCount, digest });
  }

  #fail(cause: unknown): void {
    this.#hasFailed = true;
    this.#queue.length = 0;
    const what = cause instanceof Error ? cause.message : String(cause);
    const { directory: file, onFailure } = this.#init;
    onFailure(new CheckpointError("CHECKPOINT_FAILED", `cannot write: ${what}`, { file, cause }));
  }
}
