/**
 * All frames of a segment, in the order of the file, and past what is damaged to those behind it.
 *
 * Recovery stops at the first byte that it cannot trust. A look at a damaged log has to go on: what
 * is sound behind the damage says how far it reaches, and which entries it took.
 */

import { crc32 } from "node:zlib";
import {
  FRAME_ALIGNMENT,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  frameBytes,
  type FrameHeader,
  readFrameHeader,
} from "../frame.ts";
import { TRAILER_BYTES } from "../segment.ts";
import { SEGMENT_HEADER_BYTES } from "../segment-header.ts";
import { headerAt } from "../segment-scan.ts";

/** A frame whose header is sound: so its length is, and what follows it can be found. */
export interface WalkedFrame {
  readonly what: "frame";
  readonly offset: number;
  readonly end: number;
  readonly header: FrameHeader;
  readonly payload: Buffer;
  readonly isPayloadSound: boolean;
}

/** No frame begins here, but one does at `end`. */
export interface WalkedGap {
  readonly what: "gap";
  readonly offset: number;
  readonly end: number;
}

/** @param bytes - The whole file; payloads are parts of it. */
export function* walkFrames(bytes: Buffer, seed: number): Generator<WalkedFrame | WalkedGap, void> {
  let at = SEGMENT_HEADER_BYTES;
  for (;;) {
    const header = headerAt(bytes, at, seed);
    if (header === undefined) {
      const end = nextFrameFrom(bytes, at + FRAME_ALIGNMENT, seed);
      if (end === undefined) return;
      yield { what: "gap", offset: at, end };
      at = end;
      continue;
    }
    const start = at + FRAME_HEADER_BYTES;
    const payload = bytes.subarray(start, start + header.length);
    const isPayloadSound = crc32(payload) === header.payloadChecksum;
    const end = at + frameBytes(header.length);
    yield { what: "frame", offset: at, end, header, payload, isPayloadSound };
    if (header.kind === FRAME_KIND.footer) return;
    at = end;
  }
}

/** Where the trailer says that the footer stands; `undefined` if there is no sound trailer. */
export function footerOffsetOf(bytes: Buffer, seed: number): number | undefined {
  const trailer = readFrameHeader(bytes, bytes.length - TRAILER_BYTES, seed);
  return trailer?.kind === FRAME_KIND.footer && trailer.length === 0 ? trailer.index : undefined;
}

function nextFrameFrom(bytes: Buffer, from: number, seed: number): number | undefined {
  for (
    let at = from;
    at + FRAME_HEADER_BYTES <= bytes.length - TRAILER_BYTES;
    at += FRAME_ALIGNMENT
  )
    if (headerAt(bytes, at, seed) !== undefined) return at;
  return undefined;
}
