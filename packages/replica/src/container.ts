/**
 * A container: the data of one log entry, with the commands of many calls. Little endian.
 *
 *      0  u8   version, 1
 *      1  u8   zero, three times
 *      4  u32  commands
 *      8  f64  when the leader made it, milliseconds since 1970
 *     16       commands, one after another
 *
 * A command:
 *
 *      0  u32  bytes behind this header
 *      4  u8   kind
 *      5  u8   zero, three times
 *      8  f64  session, 0 for none
 *     16  f64  sequence within the session; address: the node's id
 *     24  f64  records: the offset that the first one has to get, or -1; trim: where to
 *     32  u32  records; address: 1, its text as UTF-8; others: 0
 *     36       each record: u32 length, and its bytes
 *
 * One entry, one frame, one sync, one acknowledgement for all that came in one turn. Numbers that
 * may pass 2^32 are doubles: exact up to 2^53, and read in one instruction.
 */

import type { SlabPool } from "@quorumlog/std";
import { asBuffer } from "./byte-order.ts";

export const CONTAINER_HEADER_BYTES = 16;
export const COMMAND_HEADER_BYTES = 36;
const VERSION = 1;

/** Numbers in the log: never reused. */
export const COMMAND_KIND = {
  records: 1,
  openSession: 2,
  closeSession: 3,
  /** Every replica takes a snapshot of its state behind this entry. */
  snapshotMarker: 4,
  trim: 5,
  address: 6,
} as const;

const KIND_MAX = COMMAND_KIND.address;

/** A command before it is encoded. */
export interface CommandDraft {
  readonly kind: number;
  readonly sessionId: number;
  readonly sequence: number;
  /** Expected offset, or where to trim. */
  readonly offset: number;
  readonly records: readonly Uint8Array[];
  /** What it takes in a container, as {@link commandBytes} counts. */
  readonly bytes: number;
}

/** A command as it is read back; the cursor that holds it is used again for the next one. */
export interface Command {
  kind: number;
  sessionId: number;
  sequence: number;
  offset: number;
  recordCount: number;
  /** Where its payload is within the container. */
  start: number;
  end: number;
}

export function commandBytes(records: readonly Uint8Array[]): number {
  let total = COMMAND_HEADER_BYTES;
  for (const record of records) total += 4 + record.byteLength;
  return total;
}

/**
 * The bytes of a container; the drafts' records are copied, and the caller's again.
 *
 * @param memory - Where the bytes are taken from, held once.
 */
export function encodeContainer(
  drafts: readonly CommandDraft[],
  timestamp: number,
  memory: SlabPool,
): Buffer {
  let size = CONTAINER_HEADER_BYTES;
  for (const draft of drafts) size += draft.bytes;
  const target = asBuffer(memory.take(size));
  target.writeUInt32LE(VERSION, 0);
  target.writeUInt32LE(drafts.length, 4);
  target.writeDoubleLE(timestamp, 8);
  let at = CONTAINER_HEADER_BYTES;
  for (const draft of drafts) at = writeCommand(target, at, draft);
  return target;
}

function writeCommand(target: Buffer, start: number, draft: CommandDraft): number {
  target.writeUInt32LE(draft.bytes - COMMAND_HEADER_BYTES, start);
  target.writeUInt32LE(draft.kind, start + 4);
  target.writeDoubleLE(draft.sessionId, start + 8);
  target.writeDoubleLE(draft.sequence, start + 16);
  target.writeDoubleLE(draft.offset, start + 24);
  target.writeUInt32LE(draft.records.length, start + 32);
  let at = start + COMMAND_HEADER_BYTES;
  for (const record of draft.records) {
    target.writeUInt32LE(record.byteLength, at);
    target.set(record, at + 4);
    at += 4 + record.byteLength;
  }
  return at;
}

/** Walks the commands of a container, without an object for each. */
export class ContainerReader {
  readonly #bytes: Buffer;
  readonly commandCount: number;
  /** When the leader made it, milliseconds since 1970. */
  readonly timestamp: number;
  readonly #command: Command = {
    kind: 0,
    sessionId: 0,
    sequence: 0,
    offset: 0,
    recordCount: 0,
    start: 0,
    end: 0,
  };
  #at = CONTAINER_HEADER_BYTES;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.commandCount = bytes.readUInt32LE(4);
    this.timestamp = bytes.readDoubleLE(8);
  }

  /** @returns `undefined` for bytes that are no container, whole and well formed. */
  static open(data: Uint8Array): ContainerReader | undefined {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    return isContainer(bytes) ? new ContainerReader(bytes) : undefined;
  }

  /** The next command, or `undefined` behind the last; good until the next call. */
  next(): Command | undefined {
    const at = this.#at;
    const bytes = this.#bytes;
    if (at === bytes.length) return undefined;
    const command = this.#command;
    command.kind = bytes.readUInt32LE(at + 4);
    command.sessionId = bytes.readDoubleLE(at + 8);
    command.sequence = bytes.readDoubleLE(at + 16);
    command.offset = bytes.readDoubleLE(at + 24);
    command.recordCount = bytes.readUInt32LE(at + 32);
    command.start = at + COMMAND_HEADER_BYTES;
    command.end = command.start + bytes.readUInt32LE(at);
    this.#at = command.end;
    return command;
  }

  /** The records of a command, as views. */
  *records(command: Command): Generator<Uint8Array> {
    const { start, recordCount } = command;
    let at = start;
    for (let i = 0; i < recordCount; i++) {
      const length = this.#bytes.readUInt32LE(at);
      yield this.#bytes.subarray(at + 4, at + 4 + length);
      at += 4 + length;
    }
  }
}

/** Whether everything that a reader relies on holds: these bytes came from a leader, once. */
function isContainer(bytes: Buffer): boolean {
  if (bytes.length < CONTAINER_HEADER_BYTES || bytes.readUInt32LE(0) !== VERSION) return false;
  if (!isTime(bytes.readDoubleLE(8))) return false;
  const count = bytes.readUInt32LE(4);
  let at = CONTAINER_HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    const end = commandEnd(bytes, at);
    if (end === undefined) return false;
    at = end;
  }
  return at === bytes.length;
}

function commandEnd(bytes: Buffer, at: number): number | undefined {
  if (at + COMMAND_HEADER_BYTES > bytes.length) return undefined;
  const kind = bytes.readUInt32LE(at + 4);
  if (kind === 0 || kind > KIND_MAX) return undefined;
  if (!isCount(bytes.readDoubleLE(at + 8)) || !isCount(bytes.readDoubleLE(at + 16)))
    return undefined;
  const offset = bytes.readDoubleLE(at + 24);
  if (!isCount(offset) && offset !== -1) return undefined;
  const start = at + COMMAND_HEADER_BYTES;
  const end = start + bytes.readUInt32LE(at);
  if (end > bytes.length) return undefined;
  const records = bytes.readUInt32LE(at + 32);
  return recordsEnd(bytes, { start, end, records }) === end ? end : undefined;
}

function recordsEnd(
  bytes: Buffer,
  { start, end, records }: { start: number; end: number; records: number },
): number {
  let at = start;
  for (let i = 0; i < records; i++) {
    if (at + 4 > end) return -1;
    at += 4 + bytes.readUInt32LE(at);
    if (at > end) return -1;
  }
  return at;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isTime(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}
