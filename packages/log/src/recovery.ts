/**
 * What a directory says when it is opened: the log, or the reason why it must not be used.
 *
 * Sealed segments are read by their footers, the last one frame by frame. What is not sound there
 * is *torn* if nothing says that it had been synced: a crash cut it off, nobody was promised
 * anything, and it is cut. Below a position that had been synced it is *corrupt*, and nothing is
 * guessed: the log does not open. The recovered tail is then written and synced again, as it may
 * have been read from a page cache that no disk has seen.
 */

import { join } from "node:path";
import { crc32 } from "node:zlib";
import { sometimes } from "@quorumlog/std";
import { EntryTable } from "./entry-table.ts";
import type { FileSystem, OpenFile } from "./file-system.ts";
import { FRAME_HEADER_BYTES, FRAME_KIND, frameBytes, readFrameHeader } from "./frame.ts";
import type { LogPosition } from "./log-entry.ts";
import { LogError, translated } from "./log-error.ts";
import { encodeTrailer } from "./frame-writer.ts";
import { decodeState, isBefore, type LogState, type StreamPosition } from "./log-mark.ts";
import { Segment, TRAILER_BYTES } from "./segment.ts";
import {
  decodeSegmentHeader,
  frameSeed,
  type LogIdentity,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from "./segment-header.ts";
import { segmentIdOf, SPARE_NAME } from "./segment-maker.ts";
import { findRemains, scanSegment, type SegmentScan } from "./segment-scan.ts";

export interface RecoveredLog {
  /** In order; the last one is being written. */
  readonly segments: readonly Segment[];
  /** Made and not begun. */
  readonly next: Segment | undefined;
  readonly state: LogState;
  readonly last: LogPosition;
  /** Bytes at the end that a crash had torn, and that were cut. */
  readonly tornBytes: number;
}

interface Found {
  readonly header: SegmentHeader;
  readonly file: OpenFile;
  readonly seed: number;
  /** The first frame: everything about the log up to here. `undefined` if it is not begun. */
  readonly first: { readonly state: LogState; readonly previous: LogPosition } | undefined;
}

/**
 * @param access - `read` changes nothing, and cuts nothing either: for a look at a stopped node.
 * @throws LogError
 */
export function recoverLog(
  fileSystem: FileSystem,
  directory: string,
  access: "read" | "readWrite",
): RecoveredLog {
  const opened: OpenFile[] = [];
  try {
    return translated("the log cannot be read", directory, () =>
      recover(fileSystem, directory, access, opened),
    );
  } catch (error) {
    for (const file of opened) file.close();
    throw error;
  }
}

function recover(
  fileSystem: FileSystem,
  directory: string,
  access: "read" | "readWrite",
  opened: OpenFile[],
): RecoveredLog {
  const found = openSegments(fileSystem, directory, (path) => {
    const file = fileSystem.open(path, access);
    opened.push(file);
    return file;
  });
  const activeAt = found.findLastIndex(({ first }) => first !== undefined);
  const active = found[activeAt];
  const begun = found.slice(0, activeAt + 1);
  // One is made ahead, so two that are not begun, or one before the last, have lost their frames.
  const isSound = begun.every(({ first }) => first !== undefined) && found.length <= activeAt + 2;
  if (active === undefined && isAfterGap(fileSystem, directory, found))
    throw new LogError("LOG_SEGMENT_MISSING", "the segment before this one is not there", {
      file: found[0]?.file.path ?? directory,
    });
  if (active === undefined || !isSound) throw beginningIsDamaged(found);
  return new Recovery(begun.slice(0, -1), active, found[activeAt + 1], access).run();
}

/** Whose log the directory holds; `undefined` if it holds none. */
export function identityOf(fileSystem: FileSystem, directory: string): LogIdentity | undefined {
  const name = segmentNames(fileSystem, directory)[0];
  if (name === undefined) return undefined;
  const file = fileSystem.open(join(directory, name), "read");
  try {
    return readHeader(file).identity;
  } finally {
    file.close();
  }
}

function segmentNames(fileSystem: FileSystem, directory: string): string[] {
  return (fileSystem.list(directory) ?? []).filter((name) => segmentIdOf(name) !== undefined);
}

function openSegments(
  fileSystem: FileSystem,
  directory: string,
  open: (path: string) => OpenFile,
): Found[] {
  const names = segmentNames(fileSystem, directory);
  if (names.length === 0)
    throw new LogError("LOG_MISSING", "there is no log in this directory", { file: directory });
  // What lies before a gap was trimmed, or the gap is damage: the base will tell.
  const ids = names.map((name) => segmentIdOf(name) as number);
  const start = ids.findLastIndex((id, i) => i === 0 || ids[i - 1] !== id - 1);
  const found = names.slice(start).map((name) => openSegment(open(join(directory, name))));
  found.forEach(({ header, file }, i) => {
    if (header.segmentId !== ids[start + i])
      throw new LogError("LOG_CORRUPT", "a segment has another one's name", { file: file.path });
    if (found[0]?.header.salt !== header.salt)
      throw new LogError("LOG_FOREIGN", "this segment is of another log", { file: file.path });
  });
  return found;
}

function isAfterGap(fileSystem: FileSystem, directory: string, found: readonly Found[]): boolean {
  return segmentNames(fileSystem, directory).length > found.length;
}

/** Removes what a crash has left of segments that were trimmed, or were being made. */
export function removeLeftovers(
  fileSystem: FileSystem,
  directory: string,
  firstSegmentId: number,
): void {
  for (const name of fileSystem.list(directory) ?? []) {
    const id = segmentIdOf(name);
    if (name === SPARE_NAME || (id !== undefined && id < firstSegmentId))
      fileSystem.remove(join(directory, name));
  }
}

function openSegment(file: OpenFile): Found {
  const header = readHeader(file);
  if (file.size() !== header.segmentBytes)
    throw new LogError(
      "LOG_CORRUPT",
      `a segment has ${file.size()} bytes, not ${header.segmentBytes}`,
      {
        file: file.path,
        offset: Math.min(file.size(), header.segmentBytes),
      },
    );
  const seed = frameSeed(header);
  return { header, file, seed, first: readFirst(file, seed) };
}

function readHeader(file: OpenFile): SegmentHeader {
  const block = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const count = file.readNow(block, 0);
  return decodeSegmentHeader(block.subarray(0, count), file.path);
}

function readFirst(file: OpenFile, seed: number): Found["first"] {
  const payload = readFrame(file, seed, SEGMENT_HEADER_BYTES, FRAME_KIND.state);
  if (payload === undefined) return undefined;
  const state = decodeState(payload.bytes);
  return state === undefined ? undefined : { state, previous: payload.position };
}

function readFrame(
  file: OpenFile,
  seed: number,
  offset: number,
  kind: number,
): { readonly bytes: Buffer; readonly position: LogPosition; readonly end: number } | undefined {
  const head = Buffer.alloc(FRAME_HEADER_BYTES);
  if (file.readNow(head, offset) < head.length) return undefined;
  const frame = readFrameHeader(head, 0, seed);
  if (frame === undefined || frame.kind !== kind) return undefined;
  if (offset + frameBytes(frame.length) > file.size()) return undefined;
  const bytes = Buffer.allocUnsafe(frame.length);
  if (file.readNow(bytes, offset + FRAME_HEADER_BYTES) < bytes.length) return undefined;
  if (crc32(bytes) !== frame.payloadChecksum) return undefined;
  const { term, index } = frame;
  return { bytes, position: { term, index }, end: offset + frameBytes(frame.length) };
}

/** Nothing begins with a whole account of the log: the first write was torn, or it is damaged. */
function beginningIsDamaged(found: readonly Found[]): LogError {
  const culprit = found.find(({ first }) => first === undefined) ?? found[0];
  return new LogError("LOG_CORRUPT", "a segment's first frame is damaged", {
    ...(culprit === undefined ? {} : { file: culprit.file.path }),
    offset: SEGMENT_HEADER_BYTES,
  });
}

class Recovery {
  readonly #sealed: readonly Found[];
  readonly #active: Found;
  readonly #next: Found | undefined;
  readonly #access: "read" | "readWrite";

  constructor(
    sealed: readonly Found[],
    active: Found,
    next: Found | undefined,
    access: "read" | "readWrite",
  ) {
    this.#sealed = sealed;
    this.#active = active;
    this.#next = next;
    this.#access = access;
  }

  run(): RecoveredLog {
    const bytes = readAll(this.#active.file);
    const scan = scanSegment(bytes, this.#active.seed);
    const remains = findRemains(bytes, this.#active.seed, scan.end + 8);
    let { syncedThrough } = scan;
    if (isBefore(syncedThrough, remains.syncedThrough)) ({ syncedThrough } = remains);
    this.#demandSynced(this.#active, scan.end, syncedThrough);

    const segments = this.#sealed.map((found, i) => this.#readSealed(found, i));
    const state = withBaseCommitted(scan.state as LogState);
    this.#join(segments, scan);
    const { header, file } = this.#active;
    const isSealed = scan.hasFooter && this.#isSealed(scan);
    const active = new Segment({ header, file, table: scan.table, end: scan.end, isSealed });
    segments.push(active);
    const last = lastOf(segments, state);
    this.#demandEnd(last, scan);
    if (state.hardState.commitIndex > last.index) throw damaged(this.#active, scan.end);
    const tornBytes = (remains.end ?? scan.end) - scan.end;
    if (tornBytes > 0) sometimes("torn frames cut at the end of the log");
    const next = this.#next === undefined ? undefined : this.#unbegun(this.#next);
    if (this.#access === "readWrite") this.#settle(bytes, scan);
    return { segments, next, state, last, tornBytes };
  }

  /** Everything up to `syncedThrough` has to be sound. */
  #demandSynced(found: Found, end: number, syncedThrough: StreamPosition): void {
    const reached = { segmentId: found.header.segmentId, offset: end };
    if (isBefore(reached, syncedThrough)) throw damaged(found, end);
  }

  /** Its first write may have been torn: what is left of that is wiped. */
  #unbegun(found: Found): Segment {
    const { header, file, seed } = found;
    const end = SEGMENT_HEADER_BYTES;
    const bytes = readAll(file);
    const remains = findRemains(bytes, seed, end);
    this.#demandSynced(found, end, remains.syncedThrough);
    const dirtyEnd = endOfTraces(bytes, end);
    if (dirtyEnd > end && this.#access === "readWrite") {
      sometimes("torn first write of a segment wiped");
      file.writeNow(new Uint8Array(dirtyEnd - end), end);
      file.syncNow();
    }
    return new Segment({ header, file, table: new EntryTable(), end, isSealed: false });
  }

  /** The last segment may be full: then the next one is there, or it has been lost. */
  #isSealed(scan: SegmentScan): boolean {
    if (this.#next !== undefined) return true;
    const { file } = this.#active;
    throw new LogError("LOG_SEGMENT_MISSING", "the segment after this one is not there", {
      file: file.path,
      offset: scan.end,
    });
  }

  #readSealed(found: Found, i: number): Segment {
    const { header, file, seed } = found;
    const follower = this.#sealed[i + 1] ?? this.#active;
    const trailer = Buffer.alloc(TRAILER_BYTES);
    file.readNow(trailer, header.segmentBytes - TRAILER_BYTES);
    const pointer = readFrameHeader(trailer, 0, seed);
    const footer =
      pointer === undefined ? undefined : readFrame(file, seed, pointer.index, FRAME_KIND.footer);
    const table = footer === undefined ? undefined : EntryTable.decode(footer.bytes);
    if (pointer !== undefined && table !== undefined)
      return new Segment({ header, file, table, end: pointer.index, isSealed: true });
    // The footer only repeats what the frames say: without it they are read.
    sometimes("sealed segment read without its footer");
    const scan = scanSegment(readAll(file), seed);
    const synced = follower.first?.state.syncedThrough;
    const reached = { segmentId: header.segmentId, offset: scan.end };
    const isFooterAlone = scan.hasFooter || pointer?.index === scan.end;
    if (synced === undefined || (!isFooterAlone && isBefore(reached, synced)))
      throw damaged(found, scan.end);
    if (scan.hasFooter && this.#access === "readWrite") {
      // A crash has lost the trailer: with it the next start reads no more than the footer.
      file.writeNow(encodeTrailer(scan.end, seed), header.segmentBytes - TRAILER_BYTES);
      file.syncNow();
    }
    return new Segment({ header, file, table: scan.table, end: scan.end, isSealed: true });
  }

  /** What a later segment holds replaces what earlier ones do; together they have no gap. */
  #join(segments: readonly Segment[], scan: SegmentScan): void {
    const tables = [...segments.map(({ table }) => table), scan.table];
    [...this.#sealed, this.#active].forEach((found, i) => {
      const { previous } = found.first as NonNullable<Found["first"]>;
      const earlier = tables.slice(0, i);
      for (const each of earlier) each.cutFrom(previous.index + 1);
      const table = tables[i] as EntryTable;
      if (table.count > 0) for (const each of earlier) each.cutFrom(table.firstIndex);
    });
    if (scan.isReset) for (const table of tables.slice(0, -1)) table.clear();
    this.#demandWhole(tables, (scan.state as LogState).base.index);
  }

  /** The segments reach as far as the last frame says. */
  #demandEnd(last: LogPosition, scan: SegmentScan): void {
    if (scan.last?.index === last.index && scan.last.term === last.term) return;
    throw new LogError(
      "LOG_SEGMENT_MISSING",
      `entries up to ${scan.last?.index ?? 0} are in no segment before this one`,
      { file: this.#active.file.path },
    );
  }

  /** From the base on, each entry is in one of the segments. */
  #demandWhole(tables: readonly EntryTable[], baseIndex: number): void {
    let next = baseIndex + 1;
    tables.forEach((table, i) => {
      if (table.count === 0 || table.lastIndex < next) return;
      const { file } = this.#sealed[i] ?? this.#active;
      if (table.firstIndex > next)
        throw new LogError(
          "LOG_SEGMENT_MISSING",
          `entries ${next} to ${table.firstIndex - 1} are in no segment before this one`,
          { file: file.path },
        );
      next = table.lastIndex + 1;
    });
  }

  /**
   * Writes the tail again and syncs it: what was read may stand in no more than the page cache, and
   * a sync that failed in a former life has left pages that look clean (fsync-gate, ATC '20).
   * Whatever stands behind it is wiped, sound or not: a header whose payload was lost would be
   * found again when a later crash leaves the right bytes behind it.
   */
  #settle(bytes: Buffer, scan: SegmentScan): void {
    const { header, file } = this.#active;
    const { syncedThrough } = scan;
    const from =
      syncedThrough.segmentId === header.segmentId ? syncedThrough.offset : SEGMENT_HEADER_BYTES;
    // Behind a footer nothing is written any more.
    const end = scan.hasFooter ? scan.end : endOfTraces(bytes, scan.end);
    bytes.fill(0, scan.end, end);
    try {
      if (end > from) file.writeNow(bytes.subarray(from, end), from);
      file.syncNow();
    } catch (cause) {
      throw new LogError("LOG_FAILED", "the recovered tail cannot be written", {
        file: file.path,
        offset: from,
        cause,
      });
    }
  }
}

function lastOf(segments: readonly Segment[], state: LogState): LogPosition {
  for (const { table } of segments.toReversed()) {
    if (table.count === 0) continue;
    const index = table.lastIndex;
    if (index <= state.base.index) break;
    return { index, term: table.termOf(index) };
  }
  const { index, term } = state.base;
  return { index, term };
}

function damaged(found: Found, offset: number): LogError {
  const file = found.file.path;
  return new LogError("LOG_CORRUPT", "what had been synced is damaged", { file, offset });
}

/** A reset that a crash cut short has brought its base, and not yet the commit index behind it. */
function withBaseCommitted(state: LogState): LogState {
  const commitIndex = Math.max(state.hardState.commitIndex, state.base.index);
  return { ...state, hardState: { ...state.hardState, commitIndex } };
}

/** The end of what is not zero from `from` on. */
function endOfTraces(bytes: Buffer, from: number): number {
  let end = bytes.length;
  while (end > from && bytes[end - 1] === 0) end -= 1;
  return end;
}

function readAll(file: OpenFile): Buffer {
  const bytes = Buffer.allocUnsafe(file.size());
  const count = file.readNow(bytes, 0);
  return bytes.subarray(0, count);
}
