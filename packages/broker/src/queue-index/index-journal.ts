/**
 * Rows of the span that is being filled, written as they come: what a restart begins with.
 *
 *     a chunk:  u32 CRC-32 of what follows, u32 bytes of the rows, f64 log offset behind them, rows
 *     a row:    u32 topicId, u16 queue, u16 keyCount, u32 recordCount, u32 bytes,
 *               f64 baseOffset, f64 logOffset, f64 storeTimestamp, keyCount * u32
 *
 * A chunk that is not whole ends it: what comes behind is in the log. It is synced now and then,
 * and nobody waits for that.
 */

import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { FileSystem, OpenFile } from "@quorumlog/log";
import { type QueueKey, queueKey, queueOf, topicIdOf } from "../state/queue-key.ts";
import type { IndexRow } from "./index-row.ts";

const CHUNK_HEADER_BYTES = 16;
const ROW_BYTES = 40;
const FLUSH_BYTES = 64 * 1024;
const READ_BYTES = 1024 * 1024;
const WAITING_BYTES_MIN = 4096;
const NOTHING = Buffer.alloc(0);

/** A row with what it is found by. */
export interface JournalRow extends IndexRow {
  readonly key: QueueKey;
  readonly keyHashes: readonly number[];
}

export interface JournalInit {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly firstLogOffset: number;
  /** A write or a sync has failed: it goes on in memory alone. */
  readonly onFailure: (error: Error) => void;
}

export function journalName(firstLogOffset: number): string {
  return `span-${String(firstLogOffset).padStart(16, "0")}.journal`;
}

export class IndexJournal {
  readonly #init: JournalInit;
  readonly #file: OpenFile | undefined;
  #end: number;
  /** Rows as they go to the file; what is handed over is not written to again. */
  #waiting: Buffer = NOTHING;
  #waitingBytes = 0;
  /** What was written goes up to it, and what waits goes up to the other. */
  #writtenThrough: number;
  #through: number;
  #isWriting = false;
  #hasFailed = false;
  #isClosed = false;
  #onIdle: (() => void)[] = [];

  /** @param end - Of what is there already. */
  constructor(init: JournalInit, end = 0) {
    this.#init = init;
    this.#end = end;
    this.#writtenThrough = init.firstLogOffset;
    this.#through = init.firstLogOffset;
    this.#file = this.#open(end);
  }

  get path(): string {
    return join(this.#init.directory, journalName(this.#init.firstLogOffset));
  }

  get wantsFlush(): boolean {
    return this.#waitingBytes >= FLUSH_BYTES;
  }

  add(row: JournalRow): void {
    if (this.#hasFailed) return;
    const end = this.#waitingBytes + ROW_BYTES + 4 * row.keyHashes.length;
    if (end > this.#waiting.length) this.#makeRoom(end);
    writeRow(this.#waiting, this.#waitingBytes, row);
    this.#waitingBytes = end;
  }

  #makeRoom(bytes: number): void {
    const larger = Buffer.allocUnsafe(Math.max(WAITING_BYTES_MIN, 2 * this.#waiting.length, bytes));
    larger.set(this.#waiting.subarray(0, this.#waitingBytes));
    this.#waiting = larger;
  }

  /** @param logOffset - Behind the last record that was applied. */
  coverTo(logOffset: number): void {
    this.#through = logOffset;
  }

  /** Hands what waits to the operating system. */
  flush(): void {
    if (this.#hasFailed || this.#isClosed || this.#isWriting) return;
    if (this.#through === this.#writtenThrough) return;
    const rows = this.#waiting.subarray(0, this.#waitingBytes);
    const header = Buffer.alloc(CHUNK_HEADER_BYTES);
    header.writeUInt32LE(rows.length, 4);
    header.writeDoubleLE(this.#through, 8);
    const headerChecksum = crc32(header.subarray(4));
    // Of no bytes at all, Node.js may forget the sum that they are to be added to.
    const checksum = rows.length === 0 ? headerChecksum : crc32(rows, headerChecksum);
    header.writeUInt32LE(checksum, 0);
    this.#waiting = NOTHING;
    this.#waitingBytes = 0;
    this.#writtenThrough = this.#through;
    this.#isWriting = true;
    const at = this.#end;
    this.#end += header.length + rows.length;
    this.#file?.write([header, rows], at, (error) => {
      this.#onDone(error);
    });
  }

  sync(): void {
    if (this.#hasFailed || this.#isClosed || this.#isWriting) return;
    this.#isWriting = true;
    this.#file?.sync((error) => {
      this.#onDone(error);
    });
  }

  /** Writes what waits, and lets go of the file. */
  close(onClosed: () => void): void {
    this.flush();
    if (this.#isWriting) {
      this.#onIdle.push(() => {
        this.close(onClosed);
      });
      return;
    }
    if (!this.#isClosed) this.#file?.close();
    this.#isClosed = true;
    onClosed();
  }

  /** The file is removed: nothing more is written to it. */
  abandon(): void {
    this.#through = this.#writtenThrough;
    this.close(() => undefined);
  }

  #onDone(error: Error | undefined): void {
    this.#isWriting = false;
    if (error !== undefined) this.#fail(error);
    for (const run of this.#onIdle.splice(0)) run();
  }

  #open(end: number): OpenFile | undefined {
    const { fileSystem } = this.#init;
    try {
      return end === 0 ? fileSystem.create(this.path) : fileSystem.open(this.path, "readWrite");
    } catch (error) {
      this.#fail(error as Error);
      return undefined;
    }
  }

  #fail(error: Error): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#waiting = NOTHING;
    this.#waitingBytes = 0;
    this.#init.onFailure(error);
  }
}

export interface JournalContent {
  readonly rows: readonly JournalRow[];
  /** The log's offset that the rows go up to. */
  readonly through: number;
  /** Of what is whole, in bytes. */
  readonly end: number;
}

/** Reads what is whole of a journal. */
export function readJournal(file: OpenFile, firstLogOffset: number): JournalContent {
  const bytes = wholeFile(file);
  const rows: JournalRow[] = [];
  let through = firstLogOffset;
  let at = 0;
  while (at + CHUNK_HEADER_BYTES <= bytes.length) {
    const end = at + CHUNK_HEADER_BYTES + bytes.readUInt32LE(at + 4);
    if (end > bytes.length) break;
    if (crc32(bytes.subarray(at + 4, end)) !== bytes.readUInt32LE(at)) break;
    through = bytes.readDoubleLE(at + 8);
    for (let next = at + CHUNK_HEADER_BYTES; next < end;)
      next = decodeRow(bytes, next, (row) => rows.push(row));
    at = end;
  }
  return { rows, through, end: at };
}

function wholeFile(file: OpenFile): Buffer {
  const bytes = Buffer.alloc(file.size());
  let at = 0;
  while (at < bytes.length) {
    const count = file.readNow(bytes.subarray(at, at + READ_BYTES), at);
    if (count === 0) return bytes.subarray(0, at);
    at += count;
  }
  return bytes;
}

function writeRow(bytes: Buffer, at: number, row: JournalRow): void {
  const { key, keyHashes } = row;
  bytes.writeUInt32LE(topicIdOf(key), at);
  bytes.writeUInt16LE(queueOf(key), at + 4);
  bytes.writeUInt16LE(keyHashes.length, at + 6);
  bytes.writeUInt32LE(row.endOffset - row.baseOffset, at + 8);
  bytes.writeUInt32LE(row.bytes, at + 12);
  bytes.writeDoubleLE(row.baseOffset, at + 16);
  bytes.writeDoubleLE(row.logOffset, at + 24);
  bytes.writeDoubleLE(row.storeTimestamp, at + 32);
  let hashAt = at + ROW_BYTES;
  for (const hash of keyHashes) hashAt = bytes.writeUInt32LE(hash, hashAt);
}

function decodeRow(bytes: Buffer, at: number, onRow: (row: JournalRow) => void): number {
  const keyCount = bytes.readUInt16LE(at + 6);
  const baseOffset = bytes.readDoubleLE(at + 16);
  onRow({
    key: queueKey(bytes.readUInt32LE(at), bytes.readUInt16LE(at + 4)),
    baseOffset,
    endOffset: baseOffset + bytes.readUInt32LE(at + 8),
    logOffset: bytes.readDoubleLE(at + 24),
    storeTimestamp: bytes.readDoubleLE(at + 32),
    bytes: bytes.readUInt32LE(at + 12),
    keyHashes: Array.from({ length: keyCount }, (_, i) => {
      return bytes.readUInt32LE(at + ROW_BYTES + 4 * i);
    }),
  });
  return at + ROW_BYTES + 4 * keyCount;
}
