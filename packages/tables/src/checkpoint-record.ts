/**
 * What a checkpoint says of itself: one row, in the same transaction as the rows that it counts.
 *
 *     u32 CRC-32 of the rest, JSON
 */

import { crc32 } from "node:zlib";

export interface CheckpointRecord {
  readonly clusterId: string;
  readonly groupId: number;
  readonly nodeId: number;
  readonly incarnation: number;
  /** Names, in order. */
  readonly tables: readonly string[];
  /** Which of the two databases of rows counts. */
  readonly generation: Generation;
  /** The last entry applied to the rows. */
  readonly index: number;
  readonly term: number;
  /** The configuration there: base64. */
  readonly configuration: string;
  readonly rowCount: number;
  /** The checksums of all rows, combined by exclusive or. */
  readonly digest: number;
}

export type Generation = 0 | 1;

export const FORMAT = 1;
const CHECKSUM_BYTES = 4;

export function encodeRecord(record: CheckpointRecord): Buffer {
  const json = Buffer.from(JSON.stringify({ format: FORMAT, ...record }));
  const bytes = Buffer.allocUnsafe(CHECKSUM_BYTES + json.length);
  bytes.writeUInt32LE(crc32(json), 0);
  bytes.set(json, CHECKSUM_BYTES);
  return bytes;
}

/** @returns `damaged`, or the number of a later format in place of the record. */
export function decodeRecord(bytes: Buffer): CheckpointRecord | number | "damaged" {
  if (bytes.length < CHECKSUM_BYTES) return "damaged";
  const json = bytes.subarray(CHECKSUM_BYTES);
  if (crc32(json) !== bytes.readUInt32LE(0)) return "damaged";
  const { format, ...record } = JSON.parse(json.toString("utf8")) as Readonly<
    CheckpointRecord & { format: number }
  >;
  if (format !== FORMAT) return format;
  return record;
}
