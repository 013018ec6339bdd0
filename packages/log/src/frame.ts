/**
 * A frame: what a segment is made of. Little endian, on 8-byte boundaries.
 *
 *      0  u32  checksum          CRC-32 of the 28 bytes that follow, seeded by the segment
 *      4  u32  length            of the payload, in bytes
 *      8  u32  payloadChecksum   CRC-32 of the payload
 *     12  u32  kind
 *     16  u64  term
 *     24  u64  index
 *     32       payload, then zeros up to the next boundary
 *
 * The seed makes bytes of another segment, or of a former life of a recycled file, no frames here.
 * The payload's checksum has no seed: it is summed once, and compared wherever the bytes go.
 */

import { smallChecksum } from "@quorumlog/std";

export const FRAME_HEADER_BYTES = 32;
export const FRAME_ALIGNMENT = 8;

/** Numbers on disk: never reused. */
export const FRAME_KIND = {
  entry: 1,
  configurationEntry: 2,
  state: 3,
  mark: 4,
  footer: 5,
} as const;

const KIND_MAX = FRAME_KIND.footer;

export interface FrameHeader {
  readonly kind: number;
  readonly length: number;
  readonly payloadChecksum: number;
  readonly term: number;
  readonly index: number;
}

/** Bytes of a frame on disk, with its header and what fills it up. */
export function frameBytes(length: number): number {
  return FRAME_HEADER_BYTES + aligned(length);
}

export function aligned(bytes: number): number {
  return Math.ceil(bytes / FRAME_ALIGNMENT) * FRAME_ALIGNMENT;
}

export function writeFrameHeader(
  target: Buffer,
  at: number,
  seed: number,
  header: FrameHeader,
): void {
  target.writeUInt32LE(header.length, at + 4);
  target.writeUInt32LE(header.payloadChecksum, at + 8);
  target.writeUInt32LE(header.kind, at + 12);
  writeUInt64(target, header.term, at + 16);
  writeUInt64(target, header.index, at + 24);
  const checksum = smallChecksum(target, at + 4, at + FRAME_HEADER_BYTES, seed);
  target.writeUInt32LE(checksum, at);
}

/** @returns `undefined` if no frame of this segment begins at `at`. */
export function readFrameHeader(source: Buffer, at: number, seed: number): FrameHeader | undefined {
  if (at + FRAME_HEADER_BYTES > source.length) return undefined;
  const kind = source.readUInt32LE(at + 12);
  if (kind === 0 || kind > KIND_MAX) return undefined;
  const checksum = smallChecksum(source, at + 4, at + FRAME_HEADER_BYTES, seed);
  if (checksum !== source.readUInt32LE(at)) return undefined;
  return {
    kind,
    length: source.readUInt32LE(at + 4),
    payloadChecksum: source.readUInt32LE(at + 8),
    term: readUInt64(source, at + 16),
    index: readUInt64(source, at + 24),
  };
}

export function writeUInt64(target: Buffer, value: number, at: number): void {
  target.writeUInt32LE(value % 2 ** 32, at);
  target.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

export function readUInt64(source: Buffer, at: number): number {
  return source.readUInt32LE(at) + source.readUInt32LE(at + 4) * 2 ** 32;
}
