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
import { sometimes } from "@quorumlog/std";
import { EntryTable } from "./entry-table.ts";
import type { FileSystem, OpenFile } from "./file-system.ts";
import type { LogPosition } from "./log-entry.ts";
import { LogError, translated } from "./log-error.ts";
import { encodeTrailer } from "./frame-writer.ts";
import type { LogState } from "./log-mark.ts";
import {
  damaged,
  demandSynced,
  type FirstFrame,
  type OpenedSegment,
  openSegment,
  readAll,
  readHeader,
  readSealedTable,
  scanActive,
} from "./opened-segment.ts";
import { endOfTraces, settleTail } from "./settled-tail.ts";
import { Segment, TRAILER_BYTES } from "./segment.ts";
import { type LogIdentity, SEGMENT_HEADER_BYTES } from "./segment-header.ts";
import { REPAIR_NAME, segmentIdOf, SPARE_NAME } from "./segment-maker.ts";
import { findRemains, type SegmentScan } from "./segment-scan.ts";

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
  // The first ones may have been trimmed, and be of no concern.
  const name = segmentNames(fileSystem, directory).at(-1);
  if (name === undefined) return undefined;
  const file = fileSystem.open(join(directory, name), "read");
  try {
    return readHeader(file).identity;
  } finally {
    file.close();
  }
}

/** @throws LogError `LOG_FOREIGN` */
export function demandOwn(found: LogIdentity, own: LogIdentity, file: string): void {
  const differences = (["clusterId", "groupId", "nodeId", "incarnation"] as const)
    .filter((field) => found[field] !== own[field])
    .map((field) => `${field} ${found[field]} in place of ${own[field]}`);
  if (differences.length === 0) return;
  throw new LogError("LOG_FOREIGN", `the log is another one's: ${differences.join(", ")}`, {
    file,
  });
}

function segmentNames(fileSystem: FileSystem, directory: string): string[] {
  return (fileSystem.list(directory) ?? []).filter((name) => segmentIdOf(name) !== undefined);
}

function openSegments(
  fileSystem: FileSystem,
  directory: string,
  open: (path: string) => OpenFile,
): OpenedSegment[] {
  const names = segmentNames(fileSystem, directory);
  if (names.length === 0)
    throw new LogError("LOG_MISSING", "there is no log in this directory", { file: directory });
  // What lies before a gap was trimmed, or the gap is damage: the base will tell.
  const ids = names.map((name) => segmentIdOf(name) as number);
  const start = ids.findLastIndex((id, i) => i === 0 || ids[i - 1] !== id - 1);
  const found = names.slice(start).map((name) => {
    const path = join(directory, name);
    return readingOf(path, () => openSegment(open(path)));
  });
  found.forEach(({ header, file }, i) => {
    if (header.segmentId !== ids[start + i])
      throw new LogError("LOG_CORRUPT", "a segment has another one's name", { file: file.path });
    if (found[0]?.header.salt !== header.salt)
      throw new LogError("LOG_FOREIGN", "this segment is of another log", { file: file.path });
  });
  return found;
}

function isAfterGap(
  fileSystem: FileSystem,
  directory: string,
  found: readonly OpenedSegment[],
): boolean {
  return segmentNames(fileSystem, directory).length > found.length;
}

/** Removes what a crash has left of segments that were trimmed, or were being made or mended. */
export function removeLeftovers(
  fileSystem: FileSystem,
  directory: string,
  firstSegmentId: number,
): void {
  for (const name of fileSystem.list(directory) ?? []) {
    const id = segmentIdOf(name);
    if (name === SPARE_NAME || name === REPAIR_NAME || (id !== undefined && id < firstSegmentId))
      fileSystem.remove(join(directory, name));
  }
}

/** What the system refuses names the file, and is not the log's. */
function readingOf<T>(path: string, run: () => T): T {
  return translated("a segment cannot be read", path, run);
}

/** Nothing begins with a whole account of the log: the first write was torn, or it is damaged. */
function beginningIsDamaged(found: readonly OpenedSegment[]): LogError {
  const culprit = found.find(({ first }) => first === undefined) ?? found[0];
  return new LogError("LOG_CORRUPT", "a segment's first frame is damaged", {
    ...(culprit === undefined ? {} : { file: culprit.file.path }),
    offset: SEGMENT_HEADER_BYTES,
  });
}

class Recovery {
  readonly #sealed: readonly OpenedSegment[];
  readonly #active: OpenedSegment;
  readonly #next: OpenedSegment | undefined;
  readonly #access: "read" | "readWrite";

  constructor(
    sealed: readonly OpenedSegment[],
    active: OpenedSegment,
    next: OpenedSegment | undefined,
    access: "read" | "readWrite",
  ) {
    this.#sealed = sealed;
    this.#active = active;
    this.#next = next;
    this.#access = access;
  }

  run(): RecoveredLog {
    const { bytes, scan, remains } = readingOf(this.#active.file.path, () =>
      scanActive(this.#active),
    );
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
    if (this.#access === "readWrite") settleTail(this.#active, bytes, scan);
    return { segments, next, state, last, tornBytes };
  }

  /** Its first write may have been torn: what is left of that is wiped. */
  #unbegun(found: OpenedSegment): Segment {
    const { header, file, seed } = found;
    const end = SEGMENT_HEADER_BYTES;
    const bytes = readAll(file);
    const remains = findRemains(bytes, seed, end);
    demandSynced(found, end, remains.syncedThrough);
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

  #readSealed(found: OpenedSegment, i: number): Segment {
    const { header, file, seed } = found;
    const follower = this.#sealed[i + 1] ?? this.#active;
    const synced = follower.first?.state.syncedThrough;
    const sealed = readingOf(file.path, () => readSealedTable(found, synced));
    const { table, end } = sealed;
    if (sealed.lacksTrailer && this.#access === "readWrite") {
      // A crash has lost it: with it the next start reads no more than the footer.
      file.writeNow(encodeTrailer(end, seed), header.segmentBytes - TRAILER_BYTES);
      file.syncNow();
    }
    return new Segment({ header, file, table, end, isSealed: true });
  }

  /** What a later segment holds replaces what earlier ones do; together they have no gap. */
  #join(segments: readonly Segment[], scan: SegmentScan): void {
    const tables = [...segments.map(({ table }) => table), scan.table];
    [...this.#sealed, this.#active].forEach((found, i) => {
      const { previous } = found.first as FirstFrame;
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

/** A reset that a crash cut short has brought its base, and not yet the commit index behind it. */
function withBaseCommitted(state: LogState): LogState {
  const commitIndex = Math.max(state.hardState.commitIndex, state.base.index);
  return { ...state, hardState: { ...state.hardState, commitIndex } };
}
