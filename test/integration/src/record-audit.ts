/** A look at everything that a replica retains: a hash of it all, and who has written what. */

import type { ReadResult } from "@quorumlog/replica";
import { createHash } from "node:crypto";
import { decodeClientRecord } from "./client-record.ts";

export interface RecordAudit {
  readonly firstOffset: number;
  readonly nextOffset: number;
  /** Of offsets, lengths and bytes. */
  readonly hash: string;
  /** By `offset - firstOffset`; a client of 0 marks bytes that no client has written. */
  readonly clients: Uint32Array;
  readonly sequences: Uint32Array;
}

interface ReadableLog {
  read(from: number, options: { readonly maxBytes: number }): ReadResult;
}

const STRETCH_BYTES = 1024 * 1024;

/** Reads `[firstOffset, nextOffset)`, and lets others have their turn in between. */
export async function auditRecords(
  log: ReadableLog,
  range: { readonly firstOffset: number; readonly nextOffset: number },
): Promise<RecordAudit> {
  const { firstOffset, nextOffset } = range;
  const hash = createHash("sha256");
  const clients = new Uint32Array(nextOffset - firstOffset);
  const sequences = new Uint32Array(nextOffset - firstOffset);
  const prefix = Buffer.alloc(12);
  let expected = firstOffset;
  while (expected < nextOffset) {
    const { records } = log.read(expected, { maxBytes: STRETCH_BYTES });
    if (records.length === 0) throw new Error(`nothing is read at offset ${expected}`);
    for (const { offset, data } of records) {
      if (offset !== expected) throw new Error(`offset ${offset} is read in place of ${expected}`);
      if (offset >= nextOffset) break;
      prefix.writeDoubleLE(offset, 0);
      prefix.writeUInt32LE(data.byteLength, 8);
      hash.update(prefix).update(data);
      const id = decodeClientRecord(data);
      clients[offset - firstOffset] = id?.client ?? 0;
      sequences[offset - firstOffset] = id?.sequence ?? 0;
      expected += 1;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { firstOffset, nextOffset, hash: hash.digest("hex"), clients, sequences };
}
