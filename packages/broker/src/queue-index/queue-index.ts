/**
 * Where in the log the batches of each queue are: what turns a queue's offset into the log's.
 *
 *     applied batch ──> row of the newest span, in memory and in its journal
 *     the span is full ──> a file, rows sorted by queue; read in parts, through a cache
 *     the log is trimmed ──> spans before its first record are removed
 *
 * It follows from applied entries alone, and is no part of the state: it is kept beside it, as it
 * is as large as the log has batches. What the files lack after a crash, the log has.
 */

import { join } from "node:path";
import type { FileSystem } from "@quorumlog/log";
import { assert } from "@quorumlog/std";
import type { QueueKey } from "../state/queue-key.ts";
import { IndexJournal, journalName, type JournalRow, readJournal } from "./index-journal.ts";
import { firstWhere, type IndexRow } from "./index-row.ts";
import { IndexSpan, type SpanGround } from "./index-span.ts";
import { QueueSpans } from "./queue-spans.ts";
import { readStart, writeStart } from "./index-start.ts";
import { RowCache } from "./row-cache.ts";
import { readSpanHead, type SpanHead, writeSpan } from "./span-file.ts";

export interface QueueIndexInit {
  readonly fileSystem: FileSystem;
  /** The index's own. */
  readonly directory: string;
  /** Of a span of few queues; default 16384. */
  readonly spanRowsMax?: number;
  /** Of a span of many queues, for each of them, up to as many times `spanRowsMax`; default 16. */
  readonly spanRowsOfQueue?: number;
  /** Of the keys of its messages: it is full with either; default 262144, which are 4 MiB. */
  readonly spanKeysMax?: number;
  /** What is read from files is remembered up to this; default 32 MiB. */
  readonly cacheBytesMax?: number;
  /** The disk failed: what follows is in memory alone, and a restart reads it from the log. */
  readonly onFailure: (error: Error) => void;
}

const SPAN_ROWS_MAX = 16_384;
/**
 * What is in memory of a span that is sealed are its queues. Were it full with a row of each of
 * them, memory would grow with every batch that is stored.
 */
const SPAN_ROWS_OF_QUEUE = 16;
const SPAN_KEYS_MAX = 262_144;
const CACHE_BYTES_MAX = 32 * 1024 * 1024;
const SPAN_NAME = /^span-(\d{16})\.(index|journal)$/u;

export class QueueIndex {
  readonly #init: QueueIndexInit;
  readonly #cache: RowCache;
  readonly #ground: SpanGround;
  #spans: IndexSpan[] = [];
  #queues = new QueueSpans();
  /** Of the newest span. */
  #journal: IndexJournal | undefined;
  /** Of spans whose file is being written, or could not be. */
  readonly #formerJournals = new Map<number, IndexJournal>();
  #isSealing = false;
  #firstLogOffset = 0;
  /** Of the files: they hold nothing of what came before it. */
  #start = 0;
  #isClosed = false;
  #onSealingOver: () => void = () => undefined;

  /** Takes in the files that are whole and follow one another. */
  constructor(init: QueueIndexInit) {
    this.#init = init;
    this.#cache = new RowCache(init.cacheBytesMax ?? CACHE_BYTES_MAX);
    const { fileSystem, onFailure } = init;
    this.#ground = { fileSystem, cache: this.#cache, onDamage: onFailure };
    fileSystem.makeDirectory(init.directory);
    this.#load();
  }

  /** The files hold what follows from every record of the log before it. */
  get endLogOffset(): number {
    return this.#spans.at(-1)?.endLogOffset ?? 0;
  }

  /** Whether they hold what follows from all that the log has before a record. */
  covers(logOffset: number): boolean {
    return this.#start <= logOffset && logOffset <= this.endLogOffset;
  }

  /** What is of later records is forgotten: they are applied again, perhaps others. */
  cutBack(logOffset: number): void {
    if (this.endLogOffset === logOffset && this.#journal !== undefined) return;
    const kept = this.#spans.filter((span) => span.endLogOffset <= logOffset);
    const cut = this.#spans.find((span) => span.endLogOffset > logOffset);
    const isWithin = cut !== undefined && cut.firstLogOffset < logOffset;
    const rows = isWithin ? cut.rowsBefore(logOffset) : [];
    const first = isWithin ? cut.firstLogOffset : Math.min(this.endLogOffset, logOffset);
    this.#removeFrom(first);
    this.#cache.clear();
    this.#spans = kept.filter((span) => span.firstLogOffset < first);
    this.#queues = QueueSpans.of(this.#spans);
    this.#begin(first);
    for (const row of rows) this.add(row);
    this.coverTo(logOffset);
    // What was removed must not come back after a loss of power, to be taken for what follows now.
    this.#init.fileSystem.syncDirectory(this.#init.directory);
  }

  /** Begins anew: the log goes on from there, and nothing before it is in it. */
  reset(logOffset: number): void {
    this.#removeFrom(0);
    this.#spans = [];
    this.#queues = new QueueSpans();
    this.#cache.clear();
    this.#firstLogOffset = logOffset;
    this.#begin(logOffset);
    this.#setStart(logOffset);
  }

  add(row: JournalRow): void {
    const span = this.#newest();
    if (span.add(row)) this.#queues.add(row.key, span);
    this.#journal?.add(row);
    if (this.#isFull(span)) this.#next();
  }

  /** Every record before it is applied. */
  coverTo(logOffset: number): void {
    this.#newest().coverTo(logOffset);
    this.#journal?.coverTo(logOffset);
    if (this.#journal?.wantsFlush === true) this.#journal.flush();
  }

  /** Hands what has come to the operating system. */
  flush(): void {
    this.#journal?.flush();
  }

  /** Has what was handed over synced, in the background. */
  sync(): void {
    this.#journal?.sync();
  }

  /** The batches from an offset on: at least one if there is any, up to so many and their bytes. */
  range(
    key: QueueKey,
    offset: number,
    max: { readonly bytes: number; readonly rows?: number },
  ): IndexRow[] {
    const { bytes: bytesMax, rows: rowsMax = Number.POSITIVE_INFINITY } = max;
    const spans = this.#queues.from(key, (first) => first.baseOffset > offset);
    const found: IndexRow[] = [];
    let bytes = 0;
    for (const span of spans) {
      const rows = span.rows(key);
      if (rows === undefined) continue;
      for (
        let at = firstWhere(rows.count, (i) => rows.endOffset(i) > offset);
        at < rows.count;
        at++
      ) {
        const row = rows.row(at);
        if (row.logOffset < this.#firstLogOffset) continue;
        if (found.length >= rowsMax) return found;
        if (found.length > 0 && bytes + row.bytes > bytesMax) return found;
        found.push(row);
        bytes += row.bytes;
      }
    }
    return found;
  }

  /** @returns the first batch that was stored then or later. */
  findTime(key: QueueKey, storeTimestamp: number): IndexRow | undefined {
    for (const span of this.#queues.from(key, (first) => first.storeTimestamp >= storeTimestamp)) {
      const rows = span.rows(key);
      if (rows === undefined) continue;
      const at = firstWhere(rows.count, (i) => {
        return (
          rows.storeTimestamp(i) >= storeTimestamp && rows.logOffset(i) >= this.#firstLogOffset
        );
      });
      if (at < rows.count) return rows.row(at);
    }
    return undefined;
  }

  /** @returns the first batch that is there or later in the log. */
  findLogOffset(key: QueueKey, logOffset: number): IndexRow | undefined {
    for (const span of this.#queues.from(key, () => true)) {
      if (span.endLogOffset <= logOffset) continue;
      const rows = span.rows(key);
      if (rows === undefined) continue;
      const at = firstWhere(rows.count, (i) => rows.logOffset(i) >= logOffset);
      if (at < rows.count) return rows.row(at);
    }
    return undefined;
  }

  /** Of the first message that can be read; `undefined` if there is none. */
  firstOffset(key: QueueKey): number | undefined {
    for (const span of this.#queues.from(key, () => true)) {
      if (span.endLogOffset <= this.#firstLogOffset) continue;
      if (span.firstLogOffset >= this.#firstLogOffset) return span.firstOf(key).baseOffset;
      const rows = span.rows(key);
      if (rows === undefined) continue;
      const at = firstWhere(rows.count, (i) => rows.logOffset(i) >= this.#firstLogOffset);
      if (at < rows.count) return rows.row(at).baseOffset;
    }
    return undefined;
  }

  /**
   * Batches that may hold a message of a key, span by span, the newest first: a hash says so, no
   * more. Each span is read as it is asked for, and there may be thousands: whoever reads many lets
   * others have a turn between them. What is trimmed meanwhile is passed over.
   */
  *withKey(topicId: number, hash: number): Generator<{ key: QueueKey; row: IndexRow }[]> {
    for (const span of this.#spans.toReversed()) {
      if (span.endLogOffset <= this.#firstLogOffset) continue;
      const found = span.withKey(topicId, hash);
      yield found.filter(({ row }) => row.logOffset >= this.#firstLogOffset);
    }
  }

  /** The log begins at that record: what was before it is forgotten. */
  trim(firstLogOffset: number): void {
    if (firstLogOffset <= this.#firstLogOffset) return;
    this.#firstLogOffset = firstLogOffset;
    // No gap may be between those that are left.
    const kept = this.#spans.findIndex(
      (span) => span.isInMemory || span.endLogOffset > firstLogOffset,
    );
    // They can stay, and nothing of them is found: they go with what is trimmed next.
    if (kept <= 0 || !this.#setStart(firstLogOffset)) return;
    const gone = this.#spans.splice(0, kept);
    this.#queues = QueueSpans.of(this.#spans);
    for (const { path } of gone) if (path !== undefined) this.#remove(path);
  }

  forgetTopics(isOf: (key: QueueKey) => boolean): void {
    this.#queues.forget(isOf);
  }

  /** Writes what waits, and lets go of the files. */
  close(onClosed: () => void): void {
    this.#isClosed = true;
    if (this.#isSealing) {
      this.#onSealingOver = () => {
        this.close(onClosed);
      };
      return;
    }
    const journals = [this.#journal, ...this.#formerJournals.values()].filter(
      (journal) => journal !== undefined,
    );
    let left = journals.length;
    if (left === 0) onClosed();
    for (const journal of journals)
      journal.close(() => {
        left -= 1;
        if (left === 0) onClosed();
      });
  }

  #newest(): IndexSpan {
    if (this.#journal === undefined) this.#begin(this.endLogOffset);
    const span = this.#spans.at(-1);
    assert(span?.isInMemory === true, "the newest span is in memory");
    return span;
  }

  #isFull({ rowCount, keyCount, queueCount }: IndexSpan): boolean {
    const { spanRowsMax = SPAN_ROWS_MAX, spanKeysMax = SPAN_KEYS_MAX } = this.#init;
    if (keyCount >= spanKeysMax) return true;
    if (rowCount < spanRowsMax) return false;
    const { spanRowsOfQueue = SPAN_ROWS_OF_QUEUE } = this.#init;
    return rowCount >= spanRowsOfQueue * Math.min(queueCount, spanRowsMax);
  }

  #begin(firstLogOffset: number): void {
    this.#spans.push(IndexSpan.begin(firstLogOffset, this.#ground));
    this.#journal = this.#openJournal(firstLogOffset, 0);
  }

  /** The newest span is full: it is sealed, and another one begins. */
  #next(): void {
    const full = this.#newest();
    const journal = this.#journal;
    journal?.coverTo(full.endLogOffset);
    journal?.flush();
    if (journal !== undefined) this.#formerJournals.set(full.firstLogOffset, journal);
    this.#begin(full.endLogOffset);
    this.#sealNext();
  }

  /** One at a time: what waits is in memory, and in its journal. */
  #sealNext(): void {
    if (this.#isSealing || this.#isClosed) return;
    const span = this.#spans.find((each) => each.isInMemory && each !== this.#spans.at(-1));
    if (span === undefined) return;
    this.#isSealing = true;
    const { fileSystem, directory } = this.#init;
    // A span that was cut back meanwhile is another one, of the same name.
    const isWanted = (): boolean => this.#spans.includes(span);
    writeSpan({ fileSystem, directory, isWanted }, span.content(), (error, head) => {
      this.#isSealing = false;
      if (error !== undefined) this.#init.onFailure(error);
      else {
        if (head !== undefined) this.#onSealed(span, head);
        this.#sealNext();
      }
      this.#onSealingOver();
    });
  }

  #onSealed(span: IndexSpan, head: SpanHead): void {
    // It was cut back since it has its name, and its file removed.
    if (!this.#spans.includes(span)) return;
    span.onSealed(head);
    const { firstLogOffset } = span;
    const journal = this.#formerJournals.get(firstLogOffset);
    this.#formerJournals.delete(firstLogOffset);
    const remove = (): void => {
      this.#remove(join(this.#init.directory, journalName(firstLogOffset)));
    };
    if (journal === undefined) remove();
    else journal.close(remove);
  }

  #load(): void {
    const { fileSystem, directory } = this.#init;
    const start = readStart(fileSystem, directory);
    if (start === undefined) {
      this.reset(0);
      return;
    }
    const names = fileSystem.list(directory) ?? [];
    for (const name of names.filter((each) => each.endsWith(".new")))
      this.#remove(join(directory, name));
    const found = names
      .map((name) => SPAN_NAME.exec(name))
      .filter((match) => match !== null)
      .map(([name, first, kind]) => ({ name, first: Number(first), kind }))
      // Of a span that has both, the file is whole.
      .toSorted((a, b) => a.first - b.first || (a.kind === "index" ? -1 : 1));
    for (const { name, first, kind } of found) {
      const isNext = this.#spans.length === 0 ? first <= start : this.endLogOffset === first;
      const isRead = isNext && this.#loadSpan(join(directory, name), first, kind === "index");
      if (!isRead) this.#remove(join(directory, name));
    }
    this.#queues = QueueSpans.of(this.#spans);
    this.#firstLogOffset = start;
    this.#start = start;
    // It goes on in a journal of its own.
    this.#begin(this.#spans.at(-1)?.endLogOffset ?? start);
  }

  #loadSpan(path: string, firstLogOffset: number, isSealed: boolean): boolean {
    const { fileSystem } = this.#init;
    const file = fileSystem.open(path, "read");
    try {
      if (isSealed) {
        const head = readSpanHead(file);
        if (head?.firstLogOffset !== firstLogOffset) return false;
        this.#spans.push(IndexSpan.sealed(head, this.#ground));
        return true;
      }
      const { rows, through } = readJournal(file, firstLogOffset);
      if (through === firstLogOffset) return false;
      const span = IndexSpan.begin(firstLogOffset, this.#ground);
      for (const row of rows) span.add(row);
      span.coverTo(through);
      this.#spans.push(span);
      return true;
    } finally {
      file.close();
    }
  }

  /** Files of spans that begin there or later; the newest one's journal is let go. */
  #removeFrom(firstLogOffset: number): void {
    const { fileSystem, directory } = this.#init;
    this.#journal?.abandon();
    this.#journal = undefined;
    for (const [first, journal] of this.#formerJournals)
      if (first >= firstLogOffset) {
        journal.abandon();
        this.#formerJournals.delete(first);
      }
    for (const name of fileSystem.list(directory) ?? []) {
      const match = SPAN_NAME.exec(name);
      if (match !== null && Number(match[1]) >= firstLogOffset) this.#remove(join(directory, name));
    }
  }

  /** @returns whether it is on the disk; else a restart finds less there than it could. */
  #setStart(logOffset: number): boolean {
    const { fileSystem, directory, onFailure } = this.#init;
    try {
      writeStart(fileSystem, directory, logOffset);
    } catch (error) {
      onFailure(error as Error);
      return false;
    }
    this.#start = logOffset;
    return true;
  }

  #openJournal(firstLogOffset: number, end: number): IndexJournal {
    const { fileSystem, directory, onFailure } = this.#init;
    return new IndexJournal({ fileSystem, directory, firstLogOffset, onFailure }, end);
  }

  #remove(path: string): void {
    try {
      this.#init.fileSystem.remove(path);
    } catch (error) {
      this.#init.onFailure(error as Error);
    }
  }
}
