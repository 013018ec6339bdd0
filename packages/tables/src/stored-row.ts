/**
 * A row as the database holds it, under a checksum: LMDB has none of its own.
 *
 *     key    u8 which table (0: the replica's own rows), the key's UTF-8
 *     value  u32 CRC-32 of both, the value
 */

import { assert } from "@quorumlog/std";
import { crc32 } from "node:zlib";

const CHECKSUM_BYTES = 4;

/** @param number - 0 for the replica's own rows, else one more than that of a table. */
export function storedKey(number: number, key: string): Buffer {
  const stored = Buffer.allocUnsafe(1 + Buffer.byteLength(key));
  stored[0] = number;
  stored.write(key, 1, "utf8");
  return stored;
}

export function parseStoredKey(stored: Buffer): { readonly number: number; readonly key: string } {
  assert(stored.length > 0, "a stored key names its table");
  return { number: stored[0] as number, key: stored.toString("utf8", 1) };
}

export function rowChecksum(storedRowKey: Uint8Array, value: Uint8Array): number {
  const keyChecksum = crc32(storedRowKey);
  // Of no bytes, in a part of an empty buffer, Node.js forgets the sum that they are added to.
  return value.byteLength === 0 ? keyChecksum : crc32(value, keyChecksum);
}

export function storedValue(value: Uint8Array, checksum: number): Buffer {
  const stored = Buffer.allocUnsafe(CHECKSUM_BYTES + value.byteLength);
  stored.writeUInt32LE(checksum, 0);
  stored.set(value, CHECKSUM_BYTES);
  return stored;
}

/** @returns `undefined` if it is not what was written under that key. */
export function parseStoredValue(
  storedRowKey: Uint8Array,
  stored: Buffer,
): { readonly value: Buffer; readonly checksum: number } | undefined {
  if (stored.length < CHECKSUM_BYTES) return undefined;
  const checksum = stored.readUInt32LE(0);
  const value = stored.subarray(CHECKSUM_BYTES);
  return rowChecksum(storedRowKey, value) === checksum ? { value, checksum } : undefined;
}
