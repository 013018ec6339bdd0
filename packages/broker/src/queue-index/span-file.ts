/**
 * A span of the index that is full, as a file: written once, and read in parts.
 *
 *      0  u32  checksum        CRC-32 of the rest of the header and of the directory
 *      4  u32  magic
 *      8  f64  firstLogOffset  the span: records of the log in [first, end)
 *     16  f64  endLogOffset
 *     24  u32  queueCount
 *     28  u32  keyCount
 *     32       directory: queueCount * { f64 queue, f64 firstBaseOffset, f64 firstTimestamp,
 *                                        u32 rowCount, u32 CRC-32 of the rows }, by queue
 *              rows, queue after queue, of 32 bytes each: see row-columns.ts
 *              keys: keyCount * 16 bytes, by topic and hash: see key-columns.ts
 *              u32  CRC-32 of the keys
 *
 * Little endian. It follows from the log: one that is damaged is forgotten, and made again.
 */

import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Done, FileSystem, OpenFile } from "@quorumlog/log";
import { type QueueKey, queueKey, queueOf, topicIdOf } from "../state/queue-key.ts";
import { firstWhere } from "./index-row.ts";
import { KEY_BYTES, KeyColumns } from "./key-columns.ts";
import { ROW_BYTES, RowColumns } from "./row-columns.ts";

const MAGIC = 0x51_4c_49_31;
const HEADER_BYTES = 32;
const ENTRY_BYTES = 32;
const TAIL_BYTES = 4;
/** A queue's rows are read with those behind them, up to so much. */
const ALONG_BYTES = 4_096;

export interface SpanEntry {
  readonly key: QueueKey;
  readonly firstBaseOffset: number;
  readonly firstTimestamp: number;
  readonly rowCount: number;
  readonly checksum: number;
  /** Where its rows begin in the file. */
  readonly at: number;
}

export interface SpanHead {
  readonly path: string;
  readonly firstLogOffset: number;
  readonly endLogOffset: number;
  readonly entries: readonly SpanEntry[];
  readonly keysAt: number;
  readonly keyCount: number;
}

export interface SpanContent {
  readonly firstLogOffset: number;
  readonly endLogOffset: number;
  readonly queues: ReadonlyMap<QueueKey, RowColumns>;
  readonly keys: KeyColumns;
}

function spanName(firstLogOffset: number): string {
  return `span-${String(firstLogOffset).padStart(16, "0")}.index`;
}

/** Where a span goes. */
export interface SpanPlace {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  /** Asked before the file gets its name: if it is not, there is none, and `done` hears of none. */
  readonly isWanted: () => boolean;
}

/** Writes a span's file under its name, once it is whole and synced. */
export function writeSpan(
  { fileSystem, directory, isWanted }: SpanPlace,
  content: SpanContent,
  done: (error: Error | undefined, head: SpanHead | undefined) => void,
): void {
  const path = join(directory, spanName(content.firstLogOffset));
  const draft = `${path}.new`;
  const { parts, head } = encodeSpan(path, content);
  const fail = (error: unknown): void => {
    done(error as Error, undefined);
  };
  try {
    if (fileSystem.list(directory)?.includes(`${spanName(content.firstLogOffset)}.new`) === true)
      fileSystem.remove(draft);
    const file = fileSystem.create(draft);
    writeAll(file, parts, (error) => {
      try {
        file.close();
        if (error !== undefined) throw error;
        if (!isWanted()) {
          fileSystem.remove(draft);
          done(undefined, undefined);
          return;
        }
        fileSystem.rename(draft, path);
        fileSystem.syncDirectoryLater(directory, (failure) => {
          done(failure, failure === undefined ? head : undefined);
        });
      } catch (failure) {
        fail(failure);
      }
    });
  } catch (error) {
    fail(error);
  }
}

function writeAll(file: OpenFile, parts: readonly Buffer[], done: Done): void {
  file.write(parts, 0, (error) => {
    if (error === undefined) file.sync(done);
    else done(error);
  });
}

function encodeSpan(
  path: string,
  content: SpanContent,
): { readonly parts: readonly Buffer[]; readonly head: SpanHead } {
  const queues = [...content.queues].toSorted(([a], [b]) => a - b);
  const keys = content.keys.sorted();
  const header = Buffer.alloc(HEADER_BYTES + ENTRY_BYTES * queues.length);
  header.writeUInt32LE(MAGIC, 4);
  header.writeDoubleLE(content.firstLogOffset, 8);
  header.writeDoubleLE(content.endLogOffset, 16);
  header.writeUInt32LE(queues.length, 24);
  header.writeUInt32LE(keys.count, 28);
  const entries: SpanEntry[] = [];
  let at = header.length;
  for (const [i, [key, rows]] of queues.entries()) {
    const bytes = rows.bytes();
    const first = rows.row(0);
    const checksum = crc32(bytes);
    const entry = {
      key,
      firstBaseOffset: first.baseOffset,
      firstTimestamp: first.storeTimestamp,
      rowCount: rows.count,
      checksum,
      at,
    };
    writeEntry(header, HEADER_BYTES + ENTRY_BYTES * i, entry);
    entries.push(entry);
    at += bytes.length;
  }
  header.writeUInt32LE(crc32(header.subarray(4)), 0);
  const { firstLogOffset, endLogOffset } = content;
  const keyCount = keys.count;
  const head = { path, firstLogOffset, endLogOffset, entries, keysAt: at, keyCount };
  const tail = Buffer.alloc(TAIL_BYTES);
  tail.writeUInt32LE(crc32(keys.bytes()));
  const parts = [header, ...queues.map(([, rows]) => rows.bytes()), keys.bytes(), tail];
  return { parts, head };
}

function writeEntry(header: Buffer, at: number, entry: SpanEntry): void {
  header.writeDoubleLE(entry.key, at);
  header.writeDoubleLE(entry.firstBaseOffset, at + 8);
  header.writeDoubleLE(entry.firstTimestamp, at + 16);
  header.writeUInt32LE(entry.rowCount, at + 24);
  header.writeUInt32LE(entry.checksum, at + 28);
}

/** @returns `undefined` for a file that is none, or is damaged. */
export function readSpanHead(file: OpenFile): SpanHead | undefined {
  const header = readAt(file, 0, HEADER_BYTES);
  if (header?.readUInt32LE(4) !== MAGIC) return undefined;
  const queueCount = header.readUInt32LE(24);
  if (HEADER_BYTES + ENTRY_BYTES * queueCount > file.size()) return undefined;
  const directory = readAt(file, HEADER_BYTES, ENTRY_BYTES * queueCount);
  if (directory === undefined) return undefined;
  if (crc32(directory, crc32(header.subarray(4))) !== header.readUInt32LE(0)) return undefined;
  const entries: SpanEntry[] = [];
  let at = HEADER_BYTES + directory.length;
  for (let i = 0; i < queueCount; i++) {
    const from = ENTRY_BYTES * i;
    const rowCount = directory.readUInt32LE(from + 24);
    const number = directory.readDoubleLE(from);
    entries.push({
      key: queueKey(topicIdOf(number as QueueKey), queueOf(number as QueueKey)),
      firstBaseOffset: directory.readDoubleLE(from + 8),
      firstTimestamp: directory.readDoubleLE(from + 16),
      rowCount,
      checksum: directory.readUInt32LE(from + 28),
      at,
    });
    at += ROW_BYTES * rowCount;
  }
  const keyCount = header.readUInt32LE(28);
  if (file.size() !== at + KEY_BYTES * keyCount + TAIL_BYTES) return undefined;
  return {
    path: file.path,
    firstLogOffset: header.readDoubleLE(8),
    endLogOffset: header.readDoubleLE(16),
    entries,
    keysAt: at,
    keyCount,
  };
}

/** The rows of a queue, and of others that came along. */
export interface FoundRows {
  readonly rows: RowColumns;
  readonly neighbours: readonly (readonly [QueueKey, RowColumns])[];
}

/**
 * Queues with few rows are read with those beside them: queues of one topic, and topics of one
 * group, mostly are neighbours, and a call to the disk costs more than what it brings.
 *
 * @returns `undefined` if they are damaged.
 */
export function readRows(
  file: OpenFile,
  { entries }: SpanHead,
  entry: SpanEntry,
): FoundRows | undefined {
  const first = firstWhere(entries.length, (i) => (entries[i]?.at ?? 0) >= entry.at);
  let last = first;
  for (let bytes = rowBytes(entry); last + 1 < entries.length; last++) {
    bytes += rowBytes(entries[last + 1] as SpanEntry);
    if (bytes > ALONG_BYTES) break;
  }
  const block = entries.slice(first, last + 1);
  const length = block.reduce((sum, each) => sum + rowBytes(each), 0);
  const bytes = readAt(file, entry.at, length);
  if (bytes === undefined) return undefined;
  const rows = rowsWithin(bytes, entry, entry.at);
  if (rows === undefined) return undefined;
  const neighbours = block.slice(1).flatMap((each) => {
    const found = rowsWithin(bytes, each, entry.at);
    // Whoever asks for it is told that it is damaged.
    return found === undefined ? [] : [[each.key, found] as const];
  });
  return { rows, neighbours };
}

function rowsWithin(block: Buffer, entry: SpanEntry, start: number): RowColumns | undefined {
  const at = entry.at - start;
  const bytes = block.subarray(at, at + rowBytes(entry));
  return crc32(bytes) === entry.checksum ? RowColumns.over(bytes) : undefined;
}

function rowBytes({ rowCount }: SpanEntry): number {
  return ROW_BYTES * rowCount;
}

/** @returns `undefined` if they are damaged. */
export function readKeys(file: OpenFile, head: SpanHead): KeyColumns | undefined {
  const length = KEY_BYTES * head.keyCount;
  const bytes = readAt(file, head.keysAt, length + TAIL_BYTES);
  if (bytes === undefined || crc32(bytes.subarray(0, length)) !== bytes.readUInt32LE(length))
    return undefined;
  return KeyColumns.over(bytes.subarray(0, length));
}

function readAt(file: OpenFile, position: number, length: number): Buffer | undefined {
  // Doubles are read in place. Of no bytes at all, zlib's crc32 takes no seed if they are nowhere.
  const bytes = length === 0 ? Buffer.alloc(0) : Buffer.from(new ArrayBuffer(length));
  let at = 0;
  while (at < length) {
    const count = file.readNow(bytes.subarray(at), position + at);
    if (count === 0) return undefined;
    at += count;
  }
  return bytes;
}
