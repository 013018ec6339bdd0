/**
 * A record as the clients of a run write it: who, the how-manieth, and bytes that follow from that.
 *
 *      0  u32  client
 *      4  u32  sequence
 *      8  u32  bytes of the record
 *     12  u32  CRC-32 of all other bytes
 *     16       padding
 */

import { Prng } from "@quorumlog/std";
import { crc32 } from "node:zlib";

export interface ClientRecordId {
  readonly client: number;
  readonly sequence: number;
}

const HEADER_BYTES = 16;
const BYTES_MIN = 100;
const BYTES_MAX = 50_000;
/** Padding is a stretch of it, which starts where the record says. */
const NOISE = noise(2 * BYTES_MAX);

/** How long a record is: mostly short, and now and then long. */
export function drawRecordBytes(prng: Prng): number {
  const octaves = Math.log(BYTES_MAX / BYTES_MIN);
  // Squared: half of all records are shorter than 500 bytes.
  return Math.floor(BYTES_MIN * Math.exp(prng.fraction() ** 2 * octaves));
}

export function encodeClientRecord({ client, sequence }: ClientRecordId, bytes: number): Buffer {
  const record = Buffer.allocUnsafe(bytes);
  record.writeUInt32LE(client, 0);
  record.writeUInt32LE(sequence, 4);
  record.writeUInt32LE(bytes, 8);
  const start = (client * 7919 + sequence * 104_729) % BYTES_MAX;
  NOISE.copy(record, HEADER_BYTES, start, start + bytes - HEADER_BYTES);
  record.writeUInt32LE(checksumOf(record), 12);
  return record;
}

/** @returns `undefined` if these are not the bytes that a client has written. */
export function decodeClientRecord(data: Uint8Array): ClientRecordId | undefined {
  const record = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (record.length < HEADER_BYTES || record.readUInt32LE(8) !== record.length) return undefined;
  if (record.readUInt32LE(12) !== checksumOf(record)) return undefined;
  return { client: record.readUInt32LE(0), sequence: record.readUInt32LE(4) };
}

function checksumOf(record: Buffer): number {
  return crc32(record.subarray(HEADER_BYTES), crc32(record.subarray(0, 12)));
}

function noise(bytes: number): Buffer {
  const prng = new Prng(1);
  const buffer = Buffer.alloc(bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) buffer.writeUInt32LE(prng.uint32(), at);
  return buffer;
}
