/**
 * The first block of a snapshot file: what it is a snapshot of. Little endian.
 *
 *      0  8 bytes  "QLOGSNP\0"
 *      8  u16      version of the format
 *     10  u16      zero
 *     12  u32      checksum of the whole block, with this field as zero
 *     16  u32      group id
 *     20  u32      bytes of the payload of a chunk; the last one may have fewer
 *     24  u64      index
 *     32  u64      term
 *     40  u32      bytes of the configuration
 *     44  u32      bytes of the cluster id
 *     48           configuration, cluster id as UTF-8, then zeros
 *
 * Nothing in it is of one node: replicas with equal state write equal files.
 */

import { crc32 } from "node:zlib";
import type { Configuration } from "@quorumlog/raft";
import { ByteReader, ByteWriter } from "./byte-order.ts";
import { decodeConfiguration, encodeConfiguration } from "./configuration-codec.ts";
import { SnapshotError } from "./snapshot-error.ts";

export const SNAPSHOT_HEADER_BYTES = 4096;
export const CHUNK_BYTES_MAX: number = 16 << 20;

const FORMAT_VERSION = 1;
const MAGIC = Buffer.from("QLOGSNP\0", "latin1");
const CONFIGURATION_BYTES_MAX = 2048;
const CLUSTER_ID_BYTES_MAX = 256;

export interface SnapshotHeader {
  /** In `[1, 256]` bytes of UTF-8. */
  readonly clusterId: string;
  readonly groupId: number;
  readonly chunkBytes: number;
  readonly index: number;
  readonly term: number;
  /** In force behind `index`; at most 127 places in its lists. */
  readonly configuration: Configuration;
}

/** @throws RangeError if the configuration, or the name of the cluster, is too long. */
export function encodeSnapshotHeader(header: SnapshotHeader): Buffer {
  const configuration = encodeConfiguration(header.configuration);
  if (configuration.byteLength > CONFIGURATION_BYTES_MAX)
    throw new RangeError("configuration: more members than a snapshot can name");
  const clusterId = Buffer.from(header.clusterId, "utf8");
  if (clusterId.length < 1 || clusterId.length > CLUSTER_ID_BYTES_MAX)
    throw new RangeError(`clusterId: not of 1 to ${CLUSTER_ID_BYTES_MAX} bytes`);
  const block = Buffer.alloc(SNAPSHOT_HEADER_BYTES);
  const writer = new ByteWriter(block);
  writer.bytes(MAGIC);
  writer.uint16(FORMAT_VERSION);
  writer.uint16(0);
  writer.uint32(0);
  writer.uint32(header.groupId);
  writer.uint32(header.chunkBytes);
  writer.uint64(header.index);
  writer.uint64(header.term);
  writer.uint32(configuration.byteLength);
  writer.uint32(clusterId.length);
  writer.bytes(configuration);
  writer.bytes(clusterId);
  block.writeUInt32LE(crc32(block), 12);
  return block;
}

/** The checksum that a sound block carries. */
export function headerChecksum(block: Buffer): number {
  return block.readUInt32LE(12);
}

/**
 * @param block - The first bytes of the file.
 * @throws SnapshotError `SNAPSHOT_CORRUPT` if it is no header, `SNAPSHOT_VERSION` if it is one of a
 *   later version.
 */
export function decodeSnapshotHeader(block: Buffer, file: string): SnapshotHeader {
  if (block.length < SNAPSHOT_HEADER_BYTES || block.compare(MAGIC, 0, 8, 0, 8) !== 0)
    throw new SnapshotError("SNAPSHOT_CORRUPT", "this is no snapshot", { file, offset: 0 });
  const cleared = Buffer.from(block.subarray(0, SNAPSHOT_HEADER_BYTES));
  cleared.writeUInt32LE(0, 12);
  if (crc32(cleared) !== headerChecksum(block)) throw damaged(file, 12);
  const version = block.readUInt16LE(8);
  if (version !== FORMAT_VERSION)
    throw new SnapshotError(
      "SNAPSHOT_VERSION",
      `the snapshot is of format ${version}, and this program knows ${FORMAT_VERSION}: upgrade it`,
      { file },
    );
  const reader = new ByteReader(block.subarray(16));
  const groupId = reader.uint32();
  const chunkBytes = reader.uint32();
  const [index, term] = [reader.uint64(), reader.uint64()];
  const [configurationBytes, clusterIdBytes] = [reader.uint32(), reader.uint32()];
  const configuration = decodeConfiguration(reader.bytes(configurationBytes));
  const clusterId = reader.bytes(clusterIdBytes).toString("utf8");
  // Whoever has the checksum right may still send anything: a chunk is read into memory.
  const isSound = reader.isSound && chunkBytes >= 1 && chunkBytes <= CHUNK_BYTES_MAX;
  if (!isSound || configuration === undefined) throw damaged(file, 16);
  return { clusterId, groupId, chunkBytes, index, term, configuration };
}

function damaged(file: string, offset: number): SnapshotError {
  return new SnapshotError("SNAPSHOT_CORRUPT", "a snapshot's header is damaged", { file, offset });
}
