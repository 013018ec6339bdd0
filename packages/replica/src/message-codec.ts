/**
 * A message of the consensus core as one frame of the transport. Little endian.
 *
 *      0  u32  checksum          CRC-32 of the rest of the head
 *      4  u8   version: 1, or 2 if the fields of the type end with a loss
 *      5  u8   type
 *      6  u16  zero
 *      8  u32  headBytes         where the data begin
 *     12  u64  from, then to, fromIncarnation, toIncarnation, term
 *     52       the fields of the type; of AppendEntries, a row for each entry at their end
 *              the data of the entries, one after another, or those of a snapshot
 *
 * A loss is u64 count, u8 isSuspect; of Heartbeat and of the two replies, if there is one at all.
 *
 * A row is u32 length, u32 checksum, u32 kind, u64 term; the index follows from `prevLogIndex`. The
 * checksum of an entry is the one that its log keeps, so it is summed once on its way from the one
 * who proposes it to every disk; here it is compared. Every byte is under one checksum or another.
 */

import { crc32 } from "node:zlib";
import type {
  AppendEntries,
  Entry,
  EntryKind,
  InstallSnapshot,
  Loss,
  Message,
  MessageType,
  Snapshot,
} from "@quorumlog/raft";
import { unreachable } from "@quorumlog/std";
import { asBuffer, ByteReader, ByteWriter } from "./byte-order.ts";
import { decodeConfiguration, encodeConfiguration } from "./configuration-codec.ts";

const VERSION = 1;
const VERSION_WITH_LOSS = 2;
const LOSS_BYTES = 9;
const FIELDS_AT = 52;
const ROW_BYTES = 20;
const COPY_BYTES_MAX = 4_096;

/** Numbers on the wire are places in here: the order never changes. */
const TYPES: readonly (MessageType | undefined)[] = [
  undefined,
  "AppendEntries",
  "AppendEntriesReply",
  "Heartbeat",
  "HeartbeatReply",
  "RequestPreVote",
  "RequestPreVoteReply",
  "RequestVote",
  "RequestVoteReply",
  "InstallSnapshot",
  "TimeoutNow",
  "ReadIndexRequest",
  "ReadIndexReply",
  "TransferLeadershipRequest",
];

/** Of the fields of a type; what has no fixed length is counted apart. */
const FIELD_BYTES: Readonly<Record<MessageType, number>> = {
  AppendEntries: 28,
  AppendEntriesReply: 25,
  Heartbeat: 16,
  HeartbeatReply: 8,
  RequestPreVote: 16,
  RequestPreVoteReply: 1,
  RequestVote: 17,
  RequestVoteReply: 1,
  InstallSnapshot: 28,
  TimeoutNow: 0,
  ReadIndexRequest: 8,
  ReadIndexReply: 16,
  TransferLeadershipRequest: 8,
};

const TYPE_NUMBERS: ReadonlyMap<MessageType, number> = new Map(
  TYPES.flatMap((type, number) => (type === undefined ? [] : [[type, number] as const])),
);

/** Numbers on the wire: never reused. The same as on the disk. */
const ENTRY_KIND = { normal: 1, configuration: 2 } as const;

type Header = Pick<Message, "from" | "to" | "fromIncarnation" | "toIncarnation" | "term">;

/**
 * The parts of one frame.
 *
 * @param message - Data of more than 4 KiB become parts as they are, not copied.
 */
export function encodeMessage(message: Message): Uint8Array[] {
  const configuration =
    message.type === "InstallSnapshot"
      ? encodeConfiguration(message.snapshot.configuration)
      : undefined;
  const rowBytes = message.type === "AppendEntries" ? message.entries.length * ROW_BYTES : 0;
  const lossBytes = lossOf(message) === undefined ? 0 : LOSS_BYTES;
  const headBytes =
    FIELDS_AT + FIELD_BYTES[message.type] + rowBytes + (configuration?.byteLength ?? 0) + lossBytes;
  const data = dataOf(message);
  let copiedBytes = 0;
  for (const each of data) if (each.byteLength <= COPY_BYTES_MAX) copiedBytes += each.byteLength;
  const shared = Buffer.allocUnsafe(headBytes + copiedBytes);
  writeHead(message, configuration, shared.subarray(0, headBytes));
  return partsOf(shared, headBytes, data);
}

function dataOf(message: Message): readonly Uint8Array[] {
  if (message.type === "AppendEntries") return message.entries.map(({ data }) => data);
  return message.type === "InstallSnapshot" ? [message.snapshot.data] : [];
}

/** Small data follow the head in its buffer, up to the next that are large. */
function partsOf(shared: Buffer, headBytes: number, data: readonly Uint8Array[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let cut = 0;
  let fill = headBytes;
  for (const each of data)
    if (each.byteLength <= COPY_BYTES_MAX) {
      shared.set(each, fill);
      fill += each.byteLength;
    } else {
      if (fill > cut) parts.push(shared.subarray(cut, fill));
      parts.push(each);
      cut = fill;
    }
  if (fill > cut) parts.push(shared.subarray(cut, fill));
  return parts;
}

function writeHead(message: Message, configuration: Uint8Array | undefined, head: Buffer): void {
  const writer = new ByteWriter(head);
  writer.uint32(0);
  const loss = lossOf(message);
  writer.uint8(loss === undefined ? VERSION : VERSION_WITH_LOSS);
  writer.uint8(TYPE_NUMBERS.get(message.type) ?? 0);
  writer.uint16(0);
  writer.uint32(head.length);
  writer.uint64(message.from);
  writer.uint64(message.to);
  writer.uint64(message.fromIncarnation);
  writer.uint64(message.toIncarnation);
  writer.uint64(message.term);
  writeFields(writer, message, configuration);
  if (loss !== undefined) {
    writer.uint64(loss.count);
    writer.flag(loss.isSuspect);
  }
  head.writeUInt32LE(crc32(head.subarray(4)), 0);
}

function lossOf(message: Message): Loss | undefined {
  return "loss" in message ? message.loss : undefined;
}

function writeFields(
  writer: ByteWriter,
  message: Message,
  configuration: Uint8Array | undefined,
): void {
  switch (message.type) {
    case "AppendEntries":
      writeAppendEntries(writer, message);
      break;
    case "AppendEntriesReply":
      writer.flag(message.rejected);
      writer.uint64(message.index);
      writer.uint64(message.hintIndex);
      writer.uint64(message.hintTerm);
      break;
    case "Heartbeat":
      writer.uint64(message.leaderCommit);
      writer.uint64(message.round);
      break;
    case "HeartbeatReply":
      writer.uint64(message.round);
      break;
    case "RequestPreVote":
      writer.uint64(message.lastLogIndex);
      writer.uint64(message.lastLogTerm);
      break;
    case "RequestVote":
      writer.uint64(message.lastLogIndex);
      writer.uint64(message.lastLogTerm);
      writer.flag(message.isTransfer);
      break;
    case "RequestPreVoteReply":
    case "RequestVoteReply":
      writer.flag(message.voteGranted);
      break;
    case "InstallSnapshot":
      writeInstallSnapshot(writer, message, configuration ?? new Uint8Array(0));
      break;
    case "TimeoutNow":
      break;
    case "ReadIndexRequest":
      writer.uint64(message.context);
      break;
    case "ReadIndexReply":
      writer.uint64(message.context);
      writer.uint64(message.readIndex);
      break;
    case "TransferLeadershipRequest":
      writer.uint64(message.transferee);
      break;
    default:
      unreachable(message);
  }
}

function writeAppendEntries(writer: ByteWriter, message: AppendEntries): void {
  writer.uint64(message.prevLogIndex);
  writer.uint64(message.prevLogTerm);
  writer.uint64(message.leaderCommit);
  writer.uint32(message.entries.length);
  for (const { term, kind, data, checksum } of message.entries) {
    writer.uint32(data.byteLength);
    writer.uint32(checksum ?? crc32(data));
    writer.uint32(ENTRY_KIND[kind]);
    writer.uint64(term);
  }
}

function writeInstallSnapshot(
  writer: ByteWriter,
  { snapshot }: InstallSnapshot,
  configuration: Uint8Array,
): void {
  writer.uint64(snapshot.lastIncludedIndex);
  writer.uint64(snapshot.lastIncludedTerm);
  writer.uint32(snapshot.data.byteLength);
  writer.uint32(crc32(snapshot.data));
  writer.uint32(configuration.byteLength);
  writer.bytes(configuration);
}

/**
 * Reads what {@link encodeMessage} wrote. Whether the message makes sense is for the core to say.
 *
 * @param payload - A whole frame. Data of the message are parts of it, not copies.
 * @returns `undefined` for anything else: these bytes come from a peer.
 */
export function decodeMessage(payload: Uint8Array): Message | undefined {
  const bytes = asBuffer(payload);
  if (bytes.length < FIELDS_AT) return undefined;
  const headBytes = bytes.readUInt32LE(8);
  if (headBytes < FIELDS_AT || headBytes > bytes.length) return undefined;
  if (crc32(bytes.subarray(4, headBytes)) !== bytes.readUInt32LE(0)) return undefined;
  const version = bytes.readUInt8(4);
  const isKnown = version === VERSION || version === VERSION_WITH_LOSS;
  if (!isKnown || bytes.readUInt16LE(6) !== 0) return undefined;
  const type = TYPES[bytes.readUInt8(5)];
  if (type === undefined) return undefined;
  const fields = new ByteReader(bytes.subarray(12, headBytes));
  const data = new ByteReader(bytes.subarray(headBytes));
  const read = readMessage(type, fields, data);
  const message = version === VERSION_WITH_LOSS ? withLoss(read, fields) : read;
  return fields.isWhole && data.isWhole ? message : undefined;
}

/**
 * Those that are sent all the time are spelled out: after a spread V8 defines each field by a call
 * of its runtime, which took 3 % of a leader's time.
 */
function readMessage(type: MessageType, fields: ByteReader, data: ByteReader): Message | undefined {
  const header: Header = {
    from: fields.uint64(),
    to: fields.uint64(),
    fromIncarnation: fields.uint64(),
    toIncarnation: fields.uint64(),
    term: fields.uint64(),
  };
  const { from, to, fromIncarnation, toIncarnation, term } = header;
  switch (type) {
    case "AppendEntries":
      return readAppendEntries(header, fields, data);
    case "AppendEntriesReply": {
      const rejected = fields.flag();
      const index = fields.uint64();
      const hintIndex = fields.uint64();
      const hintTerm = fields.uint64();
      return {
        from,
        to,
        fromIncarnation,
        toIncarnation,
        term,
        type,
        rejected,
        index,
        hintIndex,
        hintTerm,
      };
    }
    case "Heartbeat": {
      const leaderCommit = fields.uint64();
      const round = fields.uint64();
      return { from, to, fromIncarnation, toIncarnation, term, type, leaderCommit, round };
    }
    case "HeartbeatReply":
      return { from, to, fromIncarnation, toIncarnation, term, type, round: fields.uint64() };
    default:
      return readSeldomMessage(type, { header, fields, data });
  }
}

function readSeldomMessage(
  type: Exclude<
    MessageType,
    "AppendEntries" | "AppendEntriesReply" | "Heartbeat" | "HeartbeatReply"
  >,
  read: { readonly header: Header; readonly fields: ByteReader; readonly data: ByteReader },
): Message | undefined {
  const { header, fields, data } = read;
  switch (type) {
    case "RequestPreVote":
      return { ...header, type, lastLogIndex: fields.uint64(), lastLogTerm: fields.uint64() };
    case "RequestVote": {
      const [lastLogIndex, lastLogTerm] = [fields.uint64(), fields.uint64()];
      return { ...header, type, lastLogIndex, lastLogTerm, isTransfer: fields.flag() };
    }
    case "RequestPreVoteReply":
    case "RequestVoteReply":
      return { ...header, type, voteGranted: fields.flag() };
    case "InstallSnapshot": {
      const snapshot = readSnapshot(fields, data);
      return snapshot === undefined ? undefined : { ...header, type, snapshot };
    }
    case "TimeoutNow":
      return { ...header, type };
    case "ReadIndexRequest":
      return { ...header, type, context: fields.uint64() };
    case "ReadIndexReply":
      return { ...header, type, context: fields.uint64(), readIndex: fields.uint64() };
    case "TransferLeadershipRequest":
      return { ...header, type, transferee: fields.uint64() };
    default:
      return unreachable(type);
  }
}

/** Only these three speak of a loss. */
function withLoss(message: Message | undefined, fields: ByteReader): Message | undefined {
  switch (message?.type) {
    case "Heartbeat":
    case "HeartbeatReply":
    case "AppendEntriesReply":
      return { ...message, loss: { count: fields.uint64(), isSuspect: fields.flag() } };
    default:
      return undefined;
  }
}

function readAppendEntries(
  header: Header,
  fields: ByteReader,
  data: ByteReader,
): AppendEntries | undefined {
  const prevLogIndex = fields.uint64();
  const prevLogTerm = fields.uint64();
  const leaderCommit = fields.uint64();
  const count = fields.uint32();
  if (fields.remaining !== count * ROW_BYTES) return undefined;
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    const index = prevLogIndex + 1 + i;
    const entry = readEntry(index, fields, data);
    if (entry === undefined) return undefined;
    entries.push(entry);
  }
  const type = "AppendEntries";
  const { from, to, fromIncarnation, toIncarnation, term } = header;
  return {
    from,
    to,
    fromIncarnation,
    toIncarnation,
    term,
    type,
    prevLogIndex,
    prevLogTerm,
    entries,
    leaderCommit,
  };
}

function readEntry(index: number, fields: ByteReader, rest: ByteReader): Entry | undefined {
  const length = fields.uint32();
  const checksum = fields.uint32();
  const kind = entryKindOf(fields.uint32());
  const term = fields.uint64();
  const data = readData(rest, length, checksum);
  if (kind === undefined || data === undefined || !Number.isSafeInteger(index)) return undefined;
  return { term, index, kind, data, checksum };
}

function entryKindOf(number: number): EntryKind | undefined {
  if (number === ENTRY_KIND.normal) return "normal";
  return number === ENTRY_KIND.configuration ? "configuration" : undefined;
}

function readSnapshot(fields: ByteReader, rest: ByteReader): Snapshot | undefined {
  const lastIncludedIndex = fields.uint64();
  const lastIncludedTerm = fields.uint64();
  const length = fields.uint32();
  const checksum = fields.uint32();
  const configuration = decodeConfiguration(fields.bytes(fields.uint32()));
  const data = readData(rest, length, checksum);
  if (configuration === undefined || data === undefined) return undefined;
  return { lastIncludedIndex, lastIncludedTerm, configuration, data };
}

/** The next data, if they are there and what their checksum says. */
function readData(rest: ByteReader, length: number, checksum: number): Buffer | undefined {
  const data = rest.bytes(length);
  return rest.isSound && crc32(data) === checksum ? data : undefined;
}
