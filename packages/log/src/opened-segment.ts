/**
 * A segment file that is looked at: header, first frame, and for a sealed one its table.
 *
 * What is found is said, and what is missing or damaged is an error that names it; what follows
 * from that is up to those who ask: `recovery.ts` refuses, `repair/` makes the file anew.
 */

import { crc32 } from "node:zlib";
import { sometimes } from "@quorumlog/std";
import { EntryTable } from "./entry-table.ts";
import type { OpenFile } from "./file-system.ts";
import { FRAME_HEADER_BYTES, FRAME_KIND, frameBytes, readFrameHeader } from "./frame.ts";
import type { LogPosition } from "./log-entry.ts";
import { LogError } from "./log-error.ts";
import { decodeState, isBefore, type LogState, type StreamPosition } from "./log-mark.ts";
import { TRAILER_BYTES } from "./segment.ts";
import {
  decodeSegmentHeader,
  frameSeed,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from "./segment-header.ts";
import { findRemains, type Remains, scanSegment, type SegmentScan } from "./segment-scan.ts";

/** The first frame of a segment: everything about the log up to there. */
export interface FirstFrame {
  readonly state: LogState;
  /** The last entry before the segment. */
  readonly previous: LogPosition;
}

export interface OpenedSegment {
  readonly header: SegmentHeader;
  readonly file: OpenFile;
  readonly seed: number;
  /** `undefined` if the segment is not begun, or its first frame is damaged. */
  readonly first: FirstFrame | undefined;
}

/** @throws LogError `LOG_CORRUPT`, `LOG_VERSION` */
export function openSegment(file: OpenFile): OpenedSegment {
  return segmentBehind(readHeader(file), file);
}

/**
 * @param header - The file's, or what it must have been.
 * @throws LogError `LOG_CORRUPT` if the file has another size than it says.
 */
export function segmentBehind(header: SegmentHeader, file: OpenFile): OpenedSegment {
  const bytes = file.size();
  if (bytes !== header.segmentBytes) {
    const offset = Math.min(bytes, header.segmentBytes);
    const message = `a segment has ${bytes} bytes, not ${header.segmentBytes}`;
    throw new LogError("LOG_CORRUPT", message, { file: file.path, offset });
  }
  const seed = frameSeed(header);
  return { header, file, seed, first: readFirst(file, seed) };
}

/** @throws LogError `LOG_CORRUPT`, `LOG_VERSION` */
export function readHeader(file: OpenFile): SegmentHeader {
  const block = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const count = file.readNow(block, 0);
  return decodeSegmentHeader(block.subarray(0, count), file.path);
}

export function readAll(file: OpenFile): Buffer {
  const bytes = Buffer.allocUnsafe(file.size());
  const count = file.readNow(bytes, 0);
  return bytes.subarray(0, count);
}

export interface SealedTable {
  readonly table: EntryTable;
  /** Of the entries: where the footer stands. */
  readonly end: number;
  /** The footer is there, and nothing points to it: a crash came in between. */
  readonly lacksTrailer: boolean;
}

/**
 * What a sealed segment holds, by its footer, or by its frames if that is damaged.
 *
 * @param synced - What had been synced when the segment behind it was begun.
 * @throws LogError `LOG_CORRUPT`
 */
export function readSealedTable(
  found: OpenedSegment,
  synced: StreamPosition | undefined,
): SealedTable {
  const { header, file, seed } = found;
  const footerAt = readTrailer(found);
  const footed = footerAt === undefined ? undefined : readFooter(found, footerAt);
  if (footerAt !== undefined && footed !== undefined)
    return { table: footed, end: footerAt, lacksTrailer: false };
  // The footer only repeats what the frames say: without it they are read.
  sometimes("sealed segment read without its footer");
  const { table, end, hasFooter } = scanSegment(readAll(file), seed);
  const reached = { segmentId: header.segmentId, offset: end };
  const isFooterAlone = hasFooter || footerAt === end;
  if (synced === undefined || (!isFooterAlone && isBefore(reached, synced)))
    throw damaged(found, end);
  return { table, end, lacksTrailer: hasFooter };
}

/** The table of a segment that is sealed and whose footer is sound. */
export function readFooterTable(found: OpenedSegment): EntryTable | undefined {
  const footerAt = readTrailer(found);
  return footerAt === undefined ? undefined : readFooter(found, footerAt);
}

export interface ActiveScan {
  /** The whole file. */
  readonly bytes: Buffer;
  readonly scan: SegmentScan;
  /** Behind the last sound frame, of a write that a crash has torn. */
  readonly remains: Remains;
}

/**
 * Reads the segment that is being written, frame by frame.
 *
 * @throws LogError `LOG_CORRUPT` if not everything that was synced is sound.
 */
export function scanActive(found: OpenedSegment): ActiveScan {
  const bytes = readAll(found.file);
  const scan = scanSegment(bytes, found.seed);
  const remains = findRemains(bytes, found.seed, scan.end + 8);
  let { syncedThrough } = scan;
  if (isBefore(syncedThrough, remains.syncedThrough)) ({ syncedThrough } = remains);
  demandSynced(found, scan.end, syncedThrough);
  return { bytes, scan, remains };
}

/**
 * Everything up to `syncedThrough` has to be sound.
 *
 * @param end - What is sound ends here.
 */
export function demandSynced(
  found: OpenedSegment,
  end: number,
  syncedThrough: StreamPosition,
): void {
  const reached = { segmentId: found.header.segmentId, offset: end };
  if (isBefore(reached, syncedThrough)) throw damaged(found, end);
}

export function damaged(found: OpenedSegment, offset: number): LogError {
  const file = found.file.path;
  return new LogError("LOG_CORRUPT", "what had been synced is damaged", { file, offset });
}

function readFirst(file: OpenFile, seed: number): FirstFrame | undefined {
  const payload = readFrame(file, seed, SEGMENT_HEADER_BYTES, FRAME_KIND.state);
  if (payload === undefined) return undefined;
  const state = decodeState(payload.bytes);
  return state === undefined ? undefined : { state, previous: payload.position };
}

/** Where the footer stands, as the last bytes of the file say. */
function readTrailer({ file, header, seed }: OpenedSegment): number | undefined {
  const trailer = Buffer.alloc(TRAILER_BYTES);
  file.readNow(trailer, header.segmentBytes - TRAILER_BYTES);
  return readFrameHeader(trailer, 0, seed)?.index;
}

function readFooter({ file, seed }: OpenedSegment, offset: number): EntryTable | undefined {
  const footer = readFrame(file, seed, offset, FRAME_KIND.footer);
  return footer === undefined ? undefined : EntryTable.decode(footer.bytes);
}

function readFrame(
  file: OpenFile,
  seed: number,
  offset: number,
  kind: number,
): { readonly bytes: Buffer; readonly position: LogPosition } | undefined {
  const head = Buffer.alloc(FRAME_HEADER_BYTES);
  if (file.readNow(head, offset) < head.length) return undefined;
  const frame = readFrameHeader(head, 0, seed);
  if (frame === undefined || frame.kind !== kind) return undefined;
  if (offset + frameBytes(frame.length) > file.size()) return undefined;
  const bytes = Buffer.allocUnsafe(frame.length);
  if (file.readNow(bytes, offset + FRAME_HEADER_BYTES) < bytes.length) return undefined;
  if (crc32(bytes) !== frame.payloadChecksum) return undefined;
  const { term, index } = frame;
  return { bytes, position: { term, index } };
}
