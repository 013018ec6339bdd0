/**
 * What stands for a snapshot in a message of consensus: how many bytes its file has. The bytes
 * themselves are fetched, in pieces, by whoever needs them.
 */

import type { LogBase } from "@quorumlog/log";
import type { Snapshot } from "@quorumlog/raft";
import { encodeConfiguration } from "./configuration-codec.ts";

const DESCRIPTOR_BYTES = 8;

/** @param fileBytes - 0 for the empty state that a group begins with, which has no file. */
export function encodeDescriptor(fileBytes: number): Uint8Array {
  const target = Buffer.allocUnsafe(DESCRIPTOR_BYTES);
  target.writeDoubleLE(fileBytes, 0);
  return target;
}

/** @returns `undefined` for bytes that are no descriptor. */
export function decodeDescriptor(data: Uint8Array): number | undefined {
  if (data.byteLength !== DESCRIPTOR_BYTES) return undefined;
  const fileBytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength).readDoubleLE(0);
  return Number.isSafeInteger(fileBytes) && fileBytes >= 0 ? fileBytes : undefined;
}

/** Where a log begins that was reset to a snapshot. */
export function baseOf(snapshot: Snapshot): LogBase {
  const { lastIncludedIndex, lastIncludedTerm, configuration } = snapshot;
  return {
    index: lastIncludedIndex,
    term: lastIncludedTerm,
    configuration: encodeConfiguration(configuration),
  };
}
