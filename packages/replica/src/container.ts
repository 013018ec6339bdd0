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
): Uint8Array {
  let size = CONTAINER_HEADER_BYTES;
  for (const draft of drafts) size += draft.bytes;
  const target = memory.take(size);
  const view = viewOf(target);
  view.setUint32(0, VERSION, true);
  view.setUint32(4, drafts.length, true);
  view.setFloat64(8, timestamp, true);
  let at = CONTAINER_HEADER_BYTES;
  for (const draft of drafts) {
    writeCommandHeader(view, at, draft);
    at += COMMAND_HEADER_BYTES;
    for (const record of draft.records) {
      view.setUint32(at, record.byteLength, true);
      target.set(record, at + 4);
      at += 4 + record.byteLength;
    }
  }
  return target;
}

function writeCommandHeader(view: DataView, at: number, draft: CommandDraft): void {
  view.setUint32(at, draft.bytes - COMMAND_HEADER_BYTES, true);
  view.setUint32(at + 4, draft.kind, true);
  view.setFloat64(at + 8, draft.sessionId, true);
  view.setFloat64(at + 16, draft.sequence, true);
  view.setFloat64(at + 24, draft.offset, true);
  view.setUint32(at + 32, draft.records.length, true);
}

/** Reads and writes numbers faster than the methods of `Buffer`. */
function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Walks the commands of a container, without an object for each. */
export class ContainerReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
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

  private constructor(bytes: Uint8Array, view: DataView) {
    this.#bytes = bytes;
    this.#view = view;
    this.commandCount = view.getUint32(4, true);
    this.timestamp = view.getFloat64(8, true);
  }

  /** @returns `undefined` for bytes that are no container, whole and well formed. */
  static open(data: Uint8Array): ContainerReader | undefined {
    const view = viewOf(data);
    return isContainer(view) ? new ContainerReader(data, view) : undefined;
  }

  /** The next command, or `undefined` behind the last; good until the next call. */
  next(): Command | undefined {
    const at = this.#at;
    const view = this.#view;
    if (at === view.byteLength) return undefined;
    const command = this.#command;
    command.kind = view.getUint32(at + 4, true);
    command.sessionId = view.getFloat64(at + 8, true);
    command.sequence = view.getFloat64(at + 16, true);
    command.offset = view.getFloat64(at + 24, true);
    command.recordCount = view.getUint32(at + 32, true);
    command.start = at + COMMAND_HEADER_BYTES;
    command.end = command.start + view.getUint32(at, true);
    this.#at = command.end;
    return command;
  }

  /** The records of a command, as views. */
  *records(command: Command): Generator<Uint8Array> {
    const { start, recordCount } = command;
    // The same class wherever the bytes came from: users see it.
    const bytes = asBuffer(this.#bytes);
    let at = start;
    for (let i = 0; i < recordCount; i++) {
      const length = this.#view.getUint32(at, true);
      yield bytes.subarray(at + 4, at + 4 + length);
      at += 4 + length;
    }
  }

  /** Adds where the bytes of each record of a command begin; their length is in the four before. */
  addStarts({ start, recordCount }: Command, starts: number[]): void {
    let at = start;
    for (let i = 0; i < recordCount; i++) {
      starts.push(at + 4);
      at += 4 + this.#view.getUint32(at, true);
    }
  }
}

/** Whether everything that a reader relies on holds: these bytes came from a leader, once. */
function isContainer(view: DataView): boolean {
  if (view.byteLength < CONTAINER_HEADER_BYTES || view.getUint32(0, true) !== VERSION) return false;
  if (!isTime(view.getFloat64(8, true))) return false;
  const count = view.getUint32(4, true);
  let at = CONTAINER_HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    const end = commandEnd(view, at);
    if (end === undefined) return false;
    at = end;
  }
  return at === view.byteLength;
}

function commandEnd(view: DataView, at: number): number | undefined {
  if (at + COMMAND_HEADER_BYTES > view.byteLength) return undefined;
  const kind = view.getUint32(at + 4, true);
  if (kind === 0 || kind > KIND_MAX) return undefined;
  if (!isCount(view.getFloat64(at + 8, true)) || !isCount(view.getFloat64(at + 16, true)))
    return undefined;
  const offset = view.getFloat64(at + 24, true);
  if (!isCount(offset) && offset !== -1) return undefined;
  const start = at + COMMAND_HEADER_BYTES;
  const end = start + view.getUint32(at, true);
  if (end > view.byteLength) return undefined;
  const records = view.getUint32(at + 32, true);
  return recordsEnd(view, { start, end, records }) === end ? end : undefined;
}

function recordsEnd(
  view: DataView,
  { start, end, records }: { start: number; end: number; records: number },
): number {
  let at = start;
  for (let i = 0; i < records; i++) {
    if (at + 4 > end) return -1;
    at += 4 + view.getUint32(at, true);
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
