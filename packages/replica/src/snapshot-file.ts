/**
 * One snapshot of the state, as a file. Little endian.
 *
 *     ┌────────┬───────┬───────┬ ─ ─ ─ ┬────────────┬─────────┐
 *     │ header │ chunk │ chunk │  ...  │ last chunk │ trailer │
 *     └────────┴───────┴───────┴ ─ ─ ─ ┴────────────┴─────────┘
 *     0        4096                                  bytes - 32
 *
 * A chunk is u32 length, u32 CRC-32 of its payload, and the payload: as long as the header says,
 * only the last one may be shorter. So the bytes of the file say where each chunk stands.
 *
 * Trailer:
 *
 *      0  8 bytes  "QLOGEND\0"
 *      8  u64      bytes of all payloads
 *     16  u32      count of chunks
 *     20  u32      CRC-32 of the checksums of all chunks, in order
 *     24  u32      checksum of the header
 *     28  u32      CRC-32 of these 28 bytes
 *
 * It is written last: a file without it is no snapshot.
 */

import { crc32 } from "node:zlib";
import { ByteReader, ByteWriter } from "./byte-order.ts";
import { SNAPSHOT_HEADER_BYTES } from "./snapshot-header.ts";

export const CHUNK_HEADER_BYTES = 8;
export const SNAPSHOT_TRAILER_BYTES = 32;

const MAGIC = Buffer.from("QLOGEND\0", "latin1");
const CHECKSUM_AT = 28;

export interface SnapshotTrailer {
  readonly payloadBytes: number;
  readonly chunkCount: number;
  readonly chunksChecksum: number;
  readonly headerChecksum: number;
}

/** The sum over the checksums of chunks, with one more. */
export function addChunkChecksum(sum: number, checksum: number): number {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(checksum, 0);
  return crc32(bytes, sum);
}

export function encodeTrailer(trailer: SnapshotTrailer): Buffer {
  const bytes = Buffer.alloc(SNAPSHOT_TRAILER_BYTES);
  const writer = new ByteWriter(bytes);
  writer.bytes(MAGIC);
  writer.uint64(trailer.payloadBytes);
  writer.uint32(trailer.chunkCount);
  writer.uint32(trailer.chunksChecksum);
  writer.uint32(trailer.headerChecksum);
  writer.uint32(crc32(bytes.subarray(0, CHECKSUM_AT)));
  return bytes;
}

/** @returns `undefined` if these are not the bytes of a trailer. */
export function decodeTrailer(bytes: Buffer): SnapshotTrailer | undefined {
  const reader = new ByteReader(bytes);
  const isMarked = reader.bytes(MAGIC.length).equals(MAGIC);
  const payloadBytes = reader.uint64();
  const chunkCount = reader.uint32();
  const [chunksChecksum, headerChecksum] = [reader.uint32(), reader.uint32()];
  const isSound = reader.uint32() === crc32(bytes.subarray(0, CHECKSUM_AT));
  if (!isMarked || !isSound || !reader.isWhole) return undefined;
  return { payloadBytes, chunkCount, chunksChecksum, headerChecksum };
}

/** Payload bytes of the chunk at `offset` of a file of so many bytes; below 1 if none fits. */
export function chunkLengthAt(offset: number, fileBytes: number, chunkBytes: number): number {
  const rest = fileBytes - SNAPSHOT_TRAILER_BYTES - offset - CHUNK_HEADER_BYTES;
  return Math.min(chunkBytes, rest);
}

/** Bytes of a file that holds so much. */
export function snapshotFileBytes(payloadBytes: number, chunkBytes: number): number {
  const chunkHeaders = Math.ceil(payloadBytes / chunkBytes) * CHUNK_HEADER_BYTES;
  return SNAPSHOT_HEADER_BYTES + chunkHeaders + payloadBytes + SNAPSHOT_TRAILER_BYTES;
}
