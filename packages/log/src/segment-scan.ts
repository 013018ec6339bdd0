/**
 * Reading a segment without its footer: frame by frame, up to the first that is none.
 *
 * Whether what follows is the end, the traces of a crash, or damage is not decided here: the caller
 * knows what had been synced.
 */

import { crc32 } from "node:zlib";
import { EntryTable } from "./entry-table.ts";
import {
  FRAME_ALIGNMENT,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  frameBytes,
  type FrameHeader,
  readFrameHeader,
} from "./frame.ts";
import type { LogPosition } from "./log-entry.ts";
import {
  decodeMark,
  decodeState,
  isBefore,
  type LogState,
  type StreamPosition,
} from "./log-mark.ts";
import { isEntry, TRAILER_BYTES } from "./segment.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";

export interface SegmentScan {
  readonly table: EntryTable;
  /** With the commit index of the last mark; `undefined` if the segment was never begun. */
  readonly state: LogState | undefined;
  /** The last entry before this segment, as its first frame says. */
  readonly previous: LogPosition | undefined;
  /** The log's last entry, as the last frame says; `undefined` if the segment was never begun. */
  readonly last: LogPosition | undefined;
  readonly isReset: boolean;
  readonly syncedThrough: StreamPosition;
  /** The first byte that is not of a sound frame. */
  readonly end: number;
  readonly hasFooter: boolean;
}

const NOWHERE: StreamPosition = { segmentId: 0, offset: 0 };

/** @param bytes - The whole file. */
export function scanSegment(bytes: Buffer, seed: number): SegmentScan {
  const table = new EntryTable();
  let state: LogState | undefined;
  let previous: LogPosition | undefined;
  let last: LogPosition | undefined;
  let isReset = false;
  let syncedThrough = NOWHERE;
  let hasFooter = false;
  let at = SEGMENT_HEADER_BYTES;
  for (;;) {
    const frame = soundFrame(bytes, at, seed);
    if (frame === undefined) break;
    const payload = bytes.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + frame.length);
    if (isEntry(frame)) {
      if (table.count > 0 && frame.index > table.lastIndex + 1) break;
      table.add(frame, at);
    } else if (frame.kind === FRAME_KIND.state) {
      const next = decodeState(payload);
      if (next === undefined) break;
      previous ??= { term: frame.term, index: frame.index };
      if (next.isReset) {
        table.clear();
        isReset = true;
      }
      state = next;
      syncedThrough = later(syncedThrough, next.syncedThrough);
    } else if (frame.kind === FRAME_KIND.mark) {
      const mark = decodeMark(payload);
      if (mark === undefined || state === undefined) break;
      state = withCommit(state, mark.commitIndex);
      syncedThrough = later(syncedThrough, mark.syncedThrough);
    } else hasFooter = true;
    if (hasFooter) break;
    last = { term: frame.term, index: frame.index };
    at += frameBytes(frame.length);
  }
  return { table, state, previous, last, isReset, syncedThrough, end: at, hasFooter };
}

/** What lies behind the end of a scan. */
export interface Remains {
  /** Sound frames stand behind it, up to here. */
  readonly end: number | undefined;
  /** What they say was synced. */
  readonly syncedThrough: StreamPosition;
}

/** Looks for sound frames from `from` on, at every place where one could begin. */
export function findRemains(bytes: Buffer, seed: number, from: number): Remains {
  let end: number | undefined;
  let syncedThrough = NOWHERE;
  const last = bytes.length - TRAILER_BYTES - FRAME_HEADER_BYTES;
  for (let at = from; at <= last; at += FRAME_ALIGNMENT) {
    const frame = soundFrame(bytes, at, seed);
    if (frame === undefined) continue;
    end = at + frameBytes(frame.length);
    const payload = bytes.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + frame.length);
    const said =
      frame.kind === FRAME_KIND.state
        ? decodeState(payload)
        : frame.kind === FRAME_KIND.mark
          ? decodeMark(payload)
          : undefined;
    if (said !== undefined) syncedThrough = later(syncedThrough, said.syncedThrough);
  }
  return { end, syncedThrough };
}

/** The header at `at`, if it is sound and its frame ends before the trailer. */
export function headerAt(bytes: Buffer, at: number, seed: number): FrameHeader | undefined {
  const frame = readFrameHeader(bytes, at, seed);
  if (frame === undefined) return undefined;
  const end = at + FRAME_HEADER_BYTES + frame.length;
  return end <= bytes.length - TRAILER_BYTES ? frame : undefined;
}

function soundFrame(bytes: Buffer, at: number, seed: number): FrameHeader | undefined {
  const frame = headerAt(bytes, at, seed);
  if (frame === undefined) return undefined;
  const start = at + FRAME_HEADER_BYTES;
  const payload = bytes.subarray(start, start + frame.length);
  return crc32(payload) === frame.payloadChecksum ? frame : undefined;
}

function withCommit(state: LogState, commitIndex: number): LogState {
  return { ...state, hardState: { ...state.hardState, commitIndex } };
}

function later(left: StreamPosition, right: StreamPosition): StreamPosition {
  return isBefore(left, right) ? right : left;
}
