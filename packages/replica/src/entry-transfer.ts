/**
 * What nodes say to each other about entries that one of them has lost: a question, an answer.
 * The numbers that go with it stand in the header of the envelope; an answer goes on with
 *
 *      0  f64  term of the entry before the first one, where the sender has one
 *      8       for each entry: u32 bytes of data, u32 CRC-32 of data, f64 term, u8 kind, data
 */

import type { LogEntry } from "@quorumlog/log";

export interface EntriesRequest {
  /** Of the question: its answer has the same. */
  readonly number: number;
  /** `[low, high)`. */
  readonly low: number;
  readonly high: number;
}

/**
 * `entries`: here they are, from the first one on, as many as fit. `unsure`: the same, of a log
 * whose damage may hide that they were replaced. `later`: they are not known to be committed.
 * `trimmed`, `damaged`: they are not here.
 */
export type EntriesVerdict = "entries" | "unsure" | "later" | "trimmed" | "damaged";

export interface EntriesReply {
  readonly number: number;
  readonly low: number;
  readonly verdict: EntriesVerdict;
  readonly previousTerm: number;
  readonly entries: readonly LogEntry[];
}

/** Numbers on the wire: never reused. */
const VERDICT_CODE: Readonly<Record<EntriesVerdict, number>> = {
  entries: 1,
  later: 2,
  trimmed: 3,
  damaged: 4,
  unsure: 5,
};
const PREVIOUS_BYTES = 8;
const ENTRY_HEADER_BYTES = 17;
const KIND_CODE = { normal: 1, configuration: 2 } as const;

export function verdictCode(verdict: EntriesVerdict): number {
  return VERDICT_CODE[verdict];
}

/** @returns what follows the header. */
export function encodeEntries({ previousTerm, entries }: EntriesReply): Uint8Array {
  const data = entries.reduce((sum, entry) => sum + entry.data.byteLength, 0);
  const bytes = Buffer.allocUnsafe(PREVIOUS_BYTES + entries.length * ENTRY_HEADER_BYTES + data);
  bytes.writeDoubleLE(previousTerm, 0);
  let at = PREVIOUS_BYTES;
  for (const entry of entries) {
    bytes.writeUInt32LE(entry.data.byteLength, at);
    bytes.writeUInt32LE(entry.checksum ?? 0, at + 4);
    bytes.writeDoubleLE(entry.term, at + 8);
    bytes.writeUInt8(KIND_CODE[entry.kind], at + 16);
    bytes.set(entry.data, at + ENTRY_HEADER_BYTES);
    at += ENTRY_HEADER_BYTES + entry.data.byteLength;
  }
  return bytes;
}

/** @returns `undefined` for anything but what {@link encodeEntries} wrote. */
export function decodeEntries(
  { number, low, code }: { readonly number: number; readonly low: number; readonly code: number },
  bytes: Buffer,
): EntriesReply | undefined {
  const verdict = (Object.keys(VERDICT_CODE) as EntriesVerdict[]).find(
    (each) => VERDICT_CODE[each] === code,
  );
  if (verdict === undefined || bytes.length < PREVIOUS_BYTES) return undefined;
  const previousTerm = bytes.readDoubleLE(0);
  if (!isTerm(previousTerm)) return undefined;
  const entries: LogEntry[] = [];
  for (let at = PREVIOUS_BYTES; at < bytes.length;) {
    const entry = decodeEntry(bytes, at, low + entries.length);
    if (entry === undefined) return undefined;
    entries.push(entry);
    at += ENTRY_HEADER_BYTES + entry.data.byteLength;
  }
  const hasEntries = verdict === "entries" || verdict === "unsure";
  if (hasEntries !== entries.length > 0) return undefined;
  return { number, low, verdict, previousTerm, entries };
}

function decodeEntry(bytes: Buffer, at: number, index: number): LogEntry | undefined {
  const start = at + ENTRY_HEADER_BYTES;
  if (start > bytes.length) return undefined;
  const length = bytes.readUInt32LE(at);
  const term = bytes.readDoubleLE(at + 8);
  const kind = bytes.readUInt8(at + 16);
  if (start + length > bytes.length || !isTerm(term)) return undefined;
  if (kind !== KIND_CODE.normal && kind !== KIND_CODE.configuration) return undefined;
  return {
    index,
    term,
    kind: kind === KIND_CODE.normal ? "normal" : "configuration",
    data: bytes.subarray(start, start + length),
    checksum: bytes.readUInt32LE(at + 4),
  };
}

function isTerm(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
