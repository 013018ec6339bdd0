/**
 * Encodes what one write carries: frames for one place in one segment, as few buffers as possible.
 *
 * Small payloads are copied into the buffer of the headers, large ones are passed on as they are:
 * a copy of a few KB is cheaper than a buffer more for the kernel to look at.
 */

import { crc32 } from "node:zlib";
import { aligned, FRAME_HEADER_BYTES, FRAME_KIND, frameBytes, writeFrameHeader } from "./frame.ts";
import type { LogEntry, LogPosition } from "./log-entry.ts";
import { encodeMark, encodeState, type LogMark, type LogState, MARK_BYTES } from "./log-mark.ts";
import { type Segment, TRAILER_BYTES } from "./segment.ts";

const COPY_BYTES_MAX = 4_096;
/** Of the buffer that small frames share. */
export const SCRATCH_BYTES: number = 64 * 1024;

/** What a mark and a footer take behind a frame, besides the table without that frame. */
export const SEAL_RESERVE_BYTES: number = frameBytes(MARK_BYTES) + FRAME_HEADER_BYTES + 32;

export class FrameWriter {
  readonly #segment: Segment;
  readonly #start: number;
  readonly #parts: Uint8Array[] = [];
  #scratch: Buffer;
  /** Of the scratch: what is a part already ends at `#cut`, what is written at `#fill`. */
  #cut = 0;
  #fill = 0;
  #bytes = 0;
  #hasState = false;

  /** @param scratch - Belongs to the writer until what it encoded is written. */
  constructor(segment: Segment, scratch: Buffer) {
    this.#segment = segment;
    this.#scratch = scratch;
    this.#start = segment.end;
  }

  get position(): number {
    return this.#start;
  }

  /** Bytes encoded so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether it says more than what entries there are: a promise, or where the log begins. */
  get hasState(): boolean {
    return this.#hasState;
  }

  /** Whether a frame fits in with so many bytes, and what must follow it in this segment. */
  hasRoom(payloadBytes: number): boolean {
    const { table, header } = this.#segment;
    const end = this.#start + this.#bytes + frameBytes(payloadBytes);
    return end + table.encodedBytes + SEAL_RESERVE_BYTES + TRAILER_BYTES <= header.segmentBytes;
  }

  entry(entry: LogEntry): void {
    const { term, index, kind, data, checksum } = entry;
    this.#segment.table.add(entry, this.#start + this.#bytes);
    const frameKind = kind === "normal" ? FRAME_KIND.entry : FRAME_KIND.configurationEntry;
    this.#frame(frameKind, { term, index }, data, checksum);
  }

  state(state: LogState, last: LogPosition): void {
    this.#hasState = true;
    if (state.isReset) this.#segment.table.clear();
    this.#frame(FRAME_KIND.state, last, encodeState(state));
  }

  mark(mark: LogMark, last: LogPosition): void {
    const payload = Buffer.allocUnsafe(MARK_BYTES);
    encodeMark(mark, payload);
    this.#frame(FRAME_KIND.mark, last, payload);
  }

  /** @returns the trailer, which belongs at the end of the file. */
  footer(): Buffer {
    const offset = this.#start + this.#bytes;
    this.#frame(FRAME_KIND.footer, { term: 0, index: 0 }, this.#segment.table.encode());
    return encodeTrailer(offset, this.#segment.seed);
  }

  /** The buffers to be written at `position`. Nothing can be added any more. */
  finish(): readonly Uint8Array[] {
    this.#closePart();
    return this.#parts;
  }

  #frame(
    kind: number,
    position: LogPosition,
    payload: Uint8Array,
    payloadChecksum: number = crc32(payload),
  ): void {
    const length = payload.byteLength;
    const isCopied = length <= COPY_BYTES_MAX;
    const padding = aligned(length) - length;
    this.#reserve(isCopied ? frameBytes(length) : FRAME_HEADER_BYTES + padding);
    const { term, index } = position;
    const header = { kind, length, payloadChecksum, term, index };
    writeFrameHeader(this.#scratch, this.#fill, this.#segment.seed, header);
    this.#fill += FRAME_HEADER_BYTES;
    if (isCopied) {
      this.#scratch.set(payload, this.#fill);
      this.#fill += length;
    } else {
      this.#closePart();
      this.#parts.push(payload);
    }
    this.#scratch.fill(0, this.#fill, this.#fill + padding);
    this.#fill += padding;
    this.#bytes += frameBytes(length);
  }

  #reserve(bytes: number): void {
    if (this.#fill + bytes <= this.#scratch.length) return;
    this.#closePart();
    this.#scratch = Buffer.allocUnsafe(Math.max(bytes, SCRATCH_BYTES));
    this.#cut = 0;
    this.#fill = 0;
  }

  #closePart(): void {
    if (this.#fill > this.#cut) this.#parts.push(this.#scratch.subarray(this.#cut, this.#fill));
    this.#cut = this.#fill;
  }
}

/** The last bytes of a sealed segment: a frame header whose index is the offset of the footer. */
export function encodeTrailer(footerOffset: number, seed: number): Buffer {
  const trailer = Buffer.allocUnsafe(TRAILER_BYTES);
  const position = { term: 0, index: footerOffset };
  const header = { kind: FRAME_KIND.footer, length: 0, payloadChecksum: 0, ...position };
  writeFrameHeader(trailer, 0, seed, header);
  return trailer;
}
