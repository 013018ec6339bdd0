/**
 * A stretch of the log as the index knows it: rows in memory, or in a file that is read in parts.
 */

import type { FileSystem, OpenFile } from "@quorumlog/log";
import { OperationError } from "@quorumlog/protocol";
import { type QueueKey, queueKey, queueOf, topicIdOf } from "../state/queue-key.ts";
import type { IndexRow, RowView } from "./index-row.ts";
import { firstWhere } from "./index-row.ts";
import type { JournalRow } from "./index-journal.ts";
import { RowColumns } from "./row-columns.ts";
import type { RowCache } from "./row-cache.ts";
import { KeyColumns } from "./key-columns.ts";
import {
  readKeys,
  readRows,
  type SpanContent,
  type SpanEntry,
  type SpanHead,
} from "./span-file.ts";

/** What spans stand on. */
export interface SpanGround {
  readonly fileSystem: FileSystem;
  readonly cache: RowCache;
  /** A file is not what was written there. It is removed: a restart makes it again. */
  readonly onDamage: (error: Error) => void;
}

interface Memory {
  readonly queues: Map<QueueKey, RowColumns>;
  readonly keys: KeyColumns;
}

interface Sealed {
  readonly head: SpanHead;
  readonly entries: ReadonlyMap<QueueKey, SpanEntry>;
}

export class IndexSpan {
  readonly firstLogOffset: number;
  #endLogOffset: number;
  #rowCount = 0;
  #memory: Memory | undefined;
  #sealed: Sealed | undefined;
  readonly #ground: SpanGround;

  private constructor(firstLogOffset: number, ground: SpanGround) {
    this.firstLogOffset = firstLogOffset;
    this.#endLogOffset = firstLogOffset;
    this.#ground = ground;
  }

  static begin(firstLogOffset: number, ground: SpanGround): IndexSpan {
    const span = new IndexSpan(firstLogOffset, ground);
    span.#memory = { queues: new Map(), keys: KeyColumns.empty() };
    return span;
  }

  static sealed(head: SpanHead, ground: SpanGround): IndexSpan {
    const span = new IndexSpan(head.firstLogOffset, ground);
    span.onSealed(head);
    return span;
  }

  /** Records of the log before it are covered. */
  get endLogOffset(): number {
    return this.#endLogOffset;
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  /** Of those in memory. */
  get queueCount(): number {
    return this.#memory?.queues.size ?? 0;
  }

  /** Of those in memory. */
  get keyCount(): number {
    return this.#memory?.keys.count ?? 0;
  }

  get isInMemory(): boolean {
    return this.#memory !== undefined;
  }

  /** Of its file. */
  get path(): string | undefined {
    return this.#sealed?.head.path;
  }

  /** @returns whether it is the first one of its queue here. */
  add(row: JournalRow): boolean {
    const { key, keyHashes } = row;
    const { queues, keys } = this.#memory as Memory;
    const known = queues.get(key);
    const rows = known ?? RowColumns.empty();
    if (known === undefined) queues.set(key, rows);
    for (const hash of keyHashes) keys.push(topicIdOf(key), hash, queueOf(key), rows.count);
    rows.push(row);
    this.#rowCount += 1;
    this.#endLogOffset = row.logOffset + 1;
    return known === undefined;
  }

  /** Everything before it is applied, whether it left a row or not. */
  coverTo(endLogOffset: number): void {
    this.#endLogOffset = Math.max(this.#endLogOffset, endLogOffset);
  }

  content(): SpanContent {
    const { queues, keys } = this.#memory as Memory;
    const { firstLogOffset, endLogOffset } = this;
    return { firstLogOffset, endLogOffset, queues, keys };
  }

  /** Its rows are in a file now, and not in memory any more. */
  onSealed(head: SpanHead): void {
    const entries = new Map(head.entries.map((entry) => [entry.key, entry]));
    this.#sealed = { head, entries };
    this.#endLogOffset = head.endLogOffset;
    this.#rowCount = head.entries.reduce((sum, { rowCount }) => sum + rowCount, 0);
    this.#memory = undefined;
  }

  keys(): IterableIterator<QueueKey> {
    return this.#memory?.queues.keys() ?? (this.#sealed as Sealed).entries.keys();
  }

  /** Of a queue that it has rows of, without reading them. */
  firstOf(key: QueueKey): { readonly baseOffset: number; readonly storeTimestamp: number } {
    const rows = this.#memory?.queues.get(key);
    if (rows !== undefined) return rows.row(0);
    const entry = (this.#sealed as Sealed).entries.get(key) as SpanEntry;
    return { baseOffset: entry.firstBaseOffset, storeTimestamp: entry.firstTimestamp };
  }

  /** @throws OperationError `FAILED` if its file is damaged */
  rows(key: QueueKey): RowView | undefined {
    if (this.#memory !== undefined) return this.#memory.queues.get(key);
    const { head, entries } = this.#sealed as Sealed;
    const entry = entries.get(key);
    if (entry === undefined) return undefined;
    const { cache } = this.#ground;
    const known = cache.get(head.path, key);
    if (known !== undefined) return known;
    const { rows, neighbours } = this.#read((file) => readRows(file, head, entry));
    cache.add(head.path, [[key, rows], ...neighbours]);
    return rows;
  }

  /** Whatever it has of records before one, in the order of the log. */
  rowsBefore(logOffset: number): JournalRow[] {
    const hashes = this.#hashes();
    const found: JournalRow[] = [];
    for (const key of this.keys()) {
      const rows = this.rows(key) as RowView;
      const own = hashes.get(key);
      for (let at = 0; at < rows.count && rows.logOffset(at) < logOffset; at++)
        found.push({ ...rows.row(at), key, keyHashes: own?.get(at) ?? [] });
    }
    return found.toSorted((a, b) => a.logOffset - b.logOffset);
  }

  /**
   * Batches that may hold a message of a key, in no particular order.
   *
   * @throws OperationError `FAILED` if its file is damaged
   */
  withKey(topicId: number, hash: number): { readonly key: QueueKey; readonly row: IndexRow }[] {
    const keys = this.#keys();
    return this.#placesOf(topicId, hash, keys).flatMap((at) => {
      const key = queueKey(topicId, keys.queue(at));
      const view = this.rows(key);
      const row = keys.row(at);
      return view === undefined || row >= view.count ? [] : [{ key, row: view.row(row) }];
    });
  }

  /** Of each queue's rows, by their number: the keys that each of them has. */
  #hashes(): ReadonlyMap<QueueKey, ReadonlyMap<number, readonly number[]>> {
    const queues = new Map<QueueKey, Map<number, number[]>>();
    const keys = this.#keys();
    for (let at = 0; at < keys.count; at++) {
      const key = queueKey(keys.topicId(at), keys.queue(at));
      let rows = queues.get(key);
      if (rows === undefined) queues.set(key, (rows = new Map()));
      const row = keys.row(at);
      const hashes = rows.get(row);
      if (hashes === undefined) rows.set(row, [keys.hash(at)]);
      else hashes.push(keys.hash(at));
    }
    return queues;
  }

  #keys(): KeyColumns {
    if (this.#memory !== undefined) return this.#memory.keys;
    const { head } = this.#sealed as Sealed;
    if (head.keyCount === 0) return KeyColumns.empty();
    return this.#read((file) => readKeys(file, head));
  }

  /** Where among the keys it is. */
  #placesOf(topicId: number, hash: number, keys: KeyColumns): number[] {
    const places: number[] = [];
    const isFrom = (at: number): boolean =>
      keys.topicId(at) > topicId || (keys.topicId(at) === topicId && keys.hash(at) >= hash);
    // In a file they are in order.
    const isSorted = this.#memory === undefined;
    for (let at = isSorted ? firstWhere(keys.count, isFrom) : 0; at < keys.count; at++) {
      if (keys.topicId(at) === topicId && keys.hash(at) === hash) places.push(at);
      else if (isSorted) break;
    }
    return places;
  }

  /** @throws OperationError `FAILED` if there is nothing whole to read */
  #read<T>(read: (file: OpenFile) => T | undefined): T {
    const { path } = (this.#sealed as Sealed).head;
    const { fileSystem } = this.#ground;
    try {
      const file = fileSystem.open(path, "read");
      try {
        const found = read(file);
        if (found !== undefined) return found;
      } finally {
        file.close();
      }
      fileSystem.remove(path);
    } catch (error) {
      throw this.#damaged(error);
    }
    throw this.#damaged(undefined);
  }

  #damaged(cause: unknown): OperationError {
    const { path } = (this.#sealed as Sealed).head;
    const why = `${path} is damaged: it is made again from the log when this node is started anew`;
    const error = new OperationError("FAILED", why, { outcome: "not-applied", cause });
    this.#ground.onDamage(error);
    return error;
  }
}
