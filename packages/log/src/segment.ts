/**
 * One segment file, as it is read.
 *
 *     ┌────────┬───────┬────────────────────────────┬────────┬ ─ ─ ─ ┬─────────┐
 *     │ header │ state │ entries, marks, states ... │ footer │ zeros  │ trailer │
 *     └────────┴───────┴────────────────────────────┴────────┴ ─ ─ ─ ┴─────────┘
 *     0        4096                                 end                 bytes of the file
 *
 * A segment that is full is *sealed*: the footer is its table of entries, and the trailer, in the
 * last 32 bytes, says where the footer stands.
 */

import { crc32 } from "node:zlib";
import { assert } from "@quorumlog/std";
import type { EntryTable } from "./entry-table.ts";
import type { OpenFile } from "./file-system.ts";
import {
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  frameBytes,
  type FrameHeader,
  readFrameHeader,
} from "./frame.ts";
import { entryBytes, type LogEntry } from "./log-entry.ts";
import { LogError } from "./log-error.ts";
import { frameSeed, type SegmentHeader } from "./segment-header.ts";

export const TRAILER_BYTES: number = FRAME_HEADER_BYTES;

export class Segment {
  readonly header: SegmentHeader;
  readonly file: OpenFile;
  readonly seed: number;
  readonly table: EntryTable;
  /** Where the next frame goes; behind a sealed segment's entries. */
  end: number;
  isSealed: boolean;

  constructor(init: {
    header: SegmentHeader;
    file: OpenFile;
    table: EntryTable;
    end: number;
    isSealed: boolean;
  }) {
    this.header = init.header;
    this.file = init.file;
    this.seed = frameSeed(init.header);
    this.table = init.table;
    this.end = init.end;
    this.isSealed = init.isSealed;
  }

  get id(): number {
    return this.header.segmentId;
  }

  /**
   * Reads entries from the file, up to the first that is damaged.
   *
   * @param range - `[low, high)`, all of them in this segment.
   * @param bytesMax - As `entryBytes` counts; the first entry comes however large it is.
   * @returns the entries, whose data share one buffer that nobody else has.
   * @throws LogError `LOG_CORRUPT` if the first one is damaged; `LOG_FAILED`
   */
  read(range: { readonly low: number; readonly high: number }, bytesMax: number): LogEntry[] {
    const { low } = range;
    const { high, start, end } = this.#extent(range, bytesMax);
    const block = Buffer.allocUnsafe(end - start);
    this.#fill(block, start, low);
    const entries: LogEntry[] = [];
    let bytes = 0;
    for (let index = low; index < high; index++) {
      const entry = this.#parse(block, start, index);
      if (entry instanceof LogError) {
        if (entries.length === 0) throw entry;
        break;
      }
      bytes += entryBytes(entry);
      if (bytes > bytesMax && entries.length > 0) break;
      entries.push(entry);
    }
    return entries;
  }

  /**
   * Reads bytes `[start, end)` of the data of an entry, whatever stands there.
   *
   * @param index - Of an entry in this segment.
   * @throws LogError `LOG_CORRUPT` if the file ends before; `LOG_FAILED`
   */
  readPart(index: number, start: number, end: number): Buffer {
    const part = Buffer.allocUnsafe(end - start);
    this.#fill(part, this.table.offsetOf(index) + FRAME_HEADER_BYTES + start, index);
    return part;
  }

  /** As many entries as surely fit, and where their frames begin and end in the file. */
  #extent(
    range: { readonly low: number; readonly high: number },
    bytesMax: number,
  ): { high: number; start: number; end: number } {
    const { table } = this;
    const { low } = range;
    assert(table.has(low) && table.has(range.high - 1), "the segment has the whole range");
    const start = table.offsetOf(low);
    let high = low + 1;
    while (high < range.high && table.offsetOf(high) - start < bytesMax) high += 1;
    return { high, start, end: this.#endOf(high - 1) };
  }

  #endOf(index: number): number {
    const { table } = this;
    if (table.has(index + 1)) return table.offsetOf(index + 1);
    const offset = table.offsetOf(index);
    const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
    this.#fill(header, offset, index);
    const frame = readFrameHeader(header, 0, this.seed);
    if (frame === undefined) throw this.#corrupt("an entry's frame is damaged", { offset, index });
    return Math.min(offset + frameBytes(frame.length), this.header.segmentBytes);
  }

  #fill(block: Buffer, start: number, index: number): void {
    const file = this.file.path;
    let count: number;
    try {
      count = this.file.readNow(block, start);
    } catch (cause) {
      throw new LogError("LOG_FAILED", "a segment cannot be read", { file, offset: start, cause });
    }
    const offset = start + count;
    if (count < block.length) throw this.#corrupt("a segment is cut short", { offset, index });
  }

  #parse(block: Buffer, start: number, index: number): LogEntry | LogError {
    const offset = this.table.offsetOf(index);
    const at = offset - start;
    const frame = readFrameHeader(block, at, this.seed);
    if (frame === undefined || frame.index !== index || !isEntry(frame))
      return this.#corrupt("an entry's frame is damaged", { offset, index });
    const data = block.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + frame.length);
    if (data.length !== frame.length || crc32(data) !== frame.payloadChecksum)
      return this.#corrupt("an entry is damaged", { offset, index });
    return entryOf(frame, data);
  }

  #corrupt(message: string, place: { readonly offset: number; readonly index: number }): LogError {
    return new LogError("LOG_CORRUPT", message, { file: this.file.path, ...place });
  }
}

export function isEntry(frame: FrameHeader): boolean {
  return frame.kind === FRAME_KIND.entry || frame.kind === FRAME_KIND.configurationEntry;
}

/** @param data - As it was verified against the frame. */
function entryOf(frame: FrameHeader, data: Uint8Array): LogEntry {
  const kind = frame.kind === FRAME_KIND.entry ? "normal" : "configuration";
  const { term, index, payloadChecksum: checksum } = frame;
  return { term, index, kind, data, checksum };
}
