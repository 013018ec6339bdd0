/**
 * The first block of a segment file: whose it is, and what seeds its checksums. Little endian.
 *
 *      0  8 bytes  "QLOGSEG\0"
 *      8  u16      version of the format
 *     10  u16      zero
 *     12  u32      checksum of the whole block, with this field as zero
 *     16  u64      segment id, one more than that of the segment before
 *     24  u32      bytes of the file
 *     28  u32      salt, drawn when the log was made
 *     32  u64      node id
 *     40  u64      incarnation
 *     48  u32      group id
 *     52  u32      bytes of the cluster id
 *     56           cluster id, UTF-8, then zeros
 */

import { crc32 } from "node:zlib";
import { readUInt64, writeUInt64 } from "./frame.ts";
import { LogError } from "./log-error.ts";

export const SEGMENT_HEADER_BYTES = 4096;
const FORMAT_VERSION = 1;

const MAGIC = Buffer.from("QLOGSEG\0", "latin1");
const CLUSTER_ID_AT = 56;
const CLUSTER_ID_BYTES_MAX = 256;

/** Whose log it is: a log of anybody else is not opened. */
export interface LogIdentity {
  /** In `[1, 256]` bytes of UTF-8. */
  readonly clusterId: string;
  readonly groupId: number;
  readonly nodeId: number;
  /** Which life of the node's disk: see the glossary. */
  readonly incarnation: number;
}

export interface SegmentHeader {
  readonly identity: LogIdentity;
  readonly segmentId: number;
  readonly segmentBytes: number;
  readonly salt: number;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const block = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(block);
  block.writeUInt16LE(FORMAT_VERSION, 8);
  writeUInt64(block, header.segmentId, 16);
  block.writeUInt32LE(header.segmentBytes, 24);
  block.writeUInt32LE(header.salt, 28);
  const { nodeId, incarnation, groupId, clusterId } = header.identity;
  writeUInt64(block, nodeId, 32);
  writeUInt64(block, incarnation, 40);
  block.writeUInt32LE(groupId, 48);
  const bytes = Buffer.from(clusterId, "utf8");
  if (bytes.length < 1 || bytes.length > CLUSTER_ID_BYTES_MAX)
    throw new RangeError(`clusterId: not of 1 to ${CLUSTER_ID_BYTES_MAX} bytes`);
  block.writeUInt32LE(bytes.length, 52);
  bytes.copy(block, CLUSTER_ID_AT);
  block.writeUInt32LE(crc32(block), 12);
  return block;
}

/**
 * @param block - The first bytes of the file.
 * @throws LogError `LOG_CORRUPT` if it is no header, `LOG_VERSION` if it is one of a later version.
 */
export function decodeSegmentHeader(block: Buffer, file: string): SegmentHeader {
  if (block.length < SEGMENT_HEADER_BYTES || block.compare(MAGIC, 0, 8, 0, 8) !== 0)
    throw new LogError("LOG_CORRUPT", "this is no segment of a log", { file, offset: 0 });
  const stored = block.readUInt32LE(12);
  const cleared = Buffer.from(block.subarray(0, SEGMENT_HEADER_BYTES));
  cleared.writeUInt32LE(0, 12);
  if (crc32(cleared) !== stored)
    throw new LogError("LOG_CORRUPT", "a segment's header is damaged", { file, offset: 12 });
  const version = block.readUInt16LE(8);
  if (version !== FORMAT_VERSION)
    throw new LogError(
      "LOG_VERSION",
      `the log is of format ${version}, and this program knows ${FORMAT_VERSION}: upgrade it`,
      { file },
    );
  const clusterIdBytes = block.readUInt32LE(52);
  const clusterId = block.toString("utf8", CLUSTER_ID_AT, CLUSTER_ID_AT + clusterIdBytes);
  return {
    identity: {
      clusterId,
      groupId: block.readUInt32LE(48),
      nodeId: readUInt64(block, 32),
      incarnation: readUInt64(block, 40),
    },
    segmentId: readUInt64(block, 16),
    segmentBytes: block.readUInt32LE(24),
    salt: block.readUInt32LE(28),
  };
}

/** What seeds the checksums of a segment's frames: different for each segment of each log. */
export function frameSeed(header: SegmentHeader): number {
  const low = header.segmentId % 2 ** 32;
  const high = Math.floor(header.segmentId / 2 ** 32);
  return (Math.imul(low ^ header.salt, 0x9e3779b1) ^ Math.imul(high + 1, 0x85ebca6b)) >>> 0;
}
