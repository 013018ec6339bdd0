/**
 * What a group's replicas say to each other: consensus, the bytes of snapshots, and of entries
 * that one has lost. Little endian.
 * On the wire it stands behind the group's founding: see founded-transport.ts.
 *
 *      0  u8   kind
 *      1       raft: what message-codec.ts writes
 *
 *      1  u32  others: CRC-32 of all that follows
 *      5  f64  index of the snapshot; introduction: which life of its disk the sender is in;
 *              health: 1 if the disk is full, 2 if it is slow, 4 if the log or its base is damaged,
 *              8 if the node is suspect, and 16 if it has yet to apply what its log held;
 *              entries: the index of the first one
 *     13  f64  its term; introduction: 1 if it is to be answered by one, and 2 if it is a
 *              founder's whose group has not begun; health: the sender's clock on the wall;
 *              entries: the number of the question
 *     21  f64  offset in the file; health: the rules that the sender's program knows;
 *              entries: the index behind the last one, or the verdict
 *     29       chunk: the file's bytes from there; introduction: what configuration-codec.ts
 *              writes, as long as the offset says, then the sender's address, UTF-8; entries: see
 *              entry-transfer.ts
 */

import type { Configuration, Message } from "@quorumlog/raft";
import type { Lane } from "@quorumlog/transport";
import { crc32 } from "node:zlib";
import { decodeConfiguration, encodeConfiguration } from "./configuration-codec.ts";
import { decodeMessage, encodeMessage } from "./message-codec.ts";
import {
  decodeEntries,
  encodeEntries,
  type EntriesReply,
  type EntriesRequest,
  verdictCode,
} from "./entry-transfer.ts";
import type { HealthReport } from "./node-health.ts";

const KIND = {
  raft: 1,
  snapshotRequest: 2,
  snapshotChunk: 3,
  snapshotEnd: 4,
  introduction: 5,
  health: 6,
  entriesRequest: 7,
  entriesReply: 8,
} as const;
const HEALTH_FULL = 1;
const HEALTH_SLOW = 2;
const HEALTH_DAMAGED = 4;
const HEALTH_SUSPECT = 8;
const HEALTH_CATCHING_UP = 16;
const HEALTH_EXHAUSTED = 32;
const HEALTH_CROWDED = 64;
const INTRODUCTION_QUESTION = 1;
const INTRODUCTION_FOUNDING = 2;
const INTRODUCTION_BYTES_MAX = 65_536;
const TRANSFER_HEADER_BYTES = 29;

/** Which part of which snapshot is meant. */
export interface SnapshotPart {
  readonly index: number;
  readonly term: number;
  /** In the file. At the end of a transfer: 1 if it succeeded, else 0. */
  readonly offset: number;
}

export type Introduction = Extract<Envelope, { readonly kind: "introduction" }>;

export type Envelope =
  | { readonly kind: "raft"; readonly message: Message }
  /** The receiver of a snapshot asks for its bytes. */
  | { readonly kind: "snapshotRequest"; readonly part: SnapshotPart }
  | { readonly kind: "snapshotChunk"; readonly part: SnapshotPart; readonly bytes: Uint8Array }
  /** Who the sender is, and where it can be reached: the receiver may not know of it yet. */
  | {
      readonly kind: "introduction";
      readonly incarnation: number;
      /** Empty if the sender does not know it either. */
      readonly address: string;
      /**
       * Who is in the group, as far as the sender knows; nobody, if it has no group yet. Of a
       * founder whose group has not begun: the founders that it has confirmed, as voters.
       */
      readonly configuration: Configuration;
      /** Whether the sender is a founder whose group has not begun: see FoundingAgreement. */
      readonly isFounding: boolean;
      /** Whether the sender asks for one in return. */
      readonly isQuestion: boolean;
    }
  | {
      readonly kind: "health";
      readonly report: HealthReport;
      /** The sender's: milliseconds since 1970. */
      readonly wallTime: number;
    }
  /** The sender has lost entries, or has them. */
  | ({ readonly kind: "entriesRequest" } & EntriesRequest)
  | ({ readonly kind: "entriesReply" } & EntriesReply)
  /** The receiver needs nothing more. */
  | { readonly kind: "snapshotEnd"; readonly part: SnapshotPart };

const NO_BYTES: Uint8Array = new Uint8Array(0);
const RAFT_KIND: Uint8Array = Uint8Array.of(KIND.raft);

/** The parts of one frame. */
export function encodeEnvelope(envelope: Envelope): Uint8Array[] {
  if (envelope.kind === "raft") return [RAFT_KIND, ...encodeMessage(envelope.message)];
  if (envelope.kind === "introduction") {
    const configuration = encodeConfiguration(envelope.configuration);
    const address = Buffer.from(envelope.address, "utf8");
    const { isQuestion, isFounding } = envelope;
    const term =
      (isQuestion ? INTRODUCTION_QUESTION : 0) + (isFounding ? INTRODUCTION_FOUNDING : 0);
    const part = { index: envelope.incarnation, term, offset: configuration.byteLength };
    return sealed(KIND.introduction, part, Buffer.concat([configuration, address]));
  }
  if (envelope.kind === "health") {
    const { isFull, isSlow, isDamaged, isSuspect, isCatchingUp, ...rest } = envelope.report;
    let index = (isFull ? HEALTH_FULL : 0) + (isSlow ? HEALTH_SLOW : 0);
    index += (isDamaged ? HEALTH_DAMAGED : 0) + (isSuspect ? HEALTH_SUSPECT : 0);
    index += isCatchingUp ? HEALTH_CATCHING_UP : 0;
    index += (rest.isExhausted ? HEALTH_EXHAUSTED : 0) + (rest.isCrowded ? HEALTH_CROWDED : 0);
    const part = { index, term: envelope.wallTime, offset: rest.rulesVersion };
    return sealed(KIND.health, part, NO_BYTES);
  }
  if (envelope.kind === "entriesRequest") {
    const { low, high, number } = envelope;
    return sealed(KIND.entriesRequest, { index: low, term: number, offset: high }, NO_BYTES);
  }
  if (envelope.kind === "entriesReply") {
    const { low, number, verdict } = envelope;
    const part = { index: low, term: number, offset: verdictCode(verdict) };
    return sealed(KIND.entriesReply, part, encodeEntries(envelope));
  }
  const bytes = envelope.kind === "snapshotChunk" ? envelope.bytes : NO_BYTES;
  return sealed(KIND[envelope.kind], envelope.part, bytes);
}

/** Whether it is about consensus, as far as the first byte tells. */
export function isRaftFrame(payload: Uint8Array): boolean {
  return payload[0] === KIND.raft;
}

function sealed(kind: number, part: SnapshotPart, bytes: Uint8Array): Uint8Array[] {
  const header = Buffer.allocUnsafe(TRANSFER_HEADER_BYTES);
  header.writeUInt8(kind, 0);
  header.writeDoubleLE(part.index, 5);
  header.writeDoubleLE(part.term, 13);
  header.writeDoubleLE(part.offset, 21);
  const headerChecksum = crc32(header.subarray(5));
  // Of no bytes, in a part of an empty buffer, Node.js forgets the sum that they are added to.
  const checksum = bytes.byteLength === 0 ? headerChecksum : crc32(bytes, headerChecksum);
  header.writeUInt32LE(checksum, 1);
  return [header, bytes];
}

/** @returns `undefined` for anything but what {@link encodeEnvelope} wrote. */
export function decodeEnvelope(payload: Uint8Array): Envelope | undefined {
  if (payload[0] === KIND.raft) {
    const message = decodeMessage(payload.subarray(1));
    return message === undefined ? undefined : { kind: "raft", message };
  }
  if (payload.byteLength < TRANSFER_HEADER_BYTES) return undefined;
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (crc32(bytes.subarray(5)) !== bytes.readUInt32LE(1)) return undefined;
  const part = {
    index: bytes.readDoubleLE(5),
    term: bytes.readDoubleLE(13),
    offset: bytes.readDoubleLE(21),
  };
  if (!Object.values(part).every((value) => Number.isSafeInteger(value) && value >= 0))
    return undefined;
  switch (payload[0]) {
    case KIND.snapshotRequest:
      return { kind: "snapshotRequest", part };
    case KIND.snapshotChunk:
      return { kind: "snapshotChunk", part, bytes: bytes.subarray(TRANSFER_HEADER_BYTES) };
    case KIND.snapshotEnd:
      return { kind: "snapshotEnd", part };
    case KIND.introduction:
      return decodeIntroduction(part, bytes.subarray(TRANSFER_HEADER_BYTES));
    case KIND.health: {
      const has = (flag: number): boolean => Math.floor(part.index / flag) % 2 === 1;
      const [isFull, isSlow] = [has(HEALTH_FULL), has(HEALTH_SLOW)];
      const report = {
        isFull,
        isExhausted: has(HEALTH_EXHAUSTED),
        isCrowded: has(HEALTH_CROWDED),
        isSlow,
        isDamaged: has(HEALTH_DAMAGED),
        isSuspect: has(HEALTH_SUSPECT),
        isCatchingUp: has(HEALTH_CATCHING_UP),
        rulesVersion: part.offset,
      };
      return { kind: "health", report, wallTime: part.term };
    }
    case KIND.entriesRequest: {
      const { index: low, term: number, offset: high } = part;
      return { kind: "entriesRequest", low, high, number };
    }
    case KIND.entriesReply: {
      const { index: low, term: number, offset: code } = part;
      const reply = decodeEntries({ number, low, code }, bytes.subarray(TRANSFER_HEADER_BYTES));
      return reply === undefined ? undefined : { kind: "entriesReply", ...reply };
    }
    default:
      return undefined;
  }
}

function decodeIntroduction(part: SnapshotPart, bytes: Buffer): Envelope | undefined {
  if (bytes.length > INTRODUCTION_BYTES_MAX) return undefined;
  const configuration = decodeConfiguration(bytes.subarray(0, part.offset));
  if (configuration === undefined) return undefined;
  const address = bytes.toString("utf8", part.offset);
  const isQuestion = part.term % INTRODUCTION_FOUNDING === INTRODUCTION_QUESTION;
  const isFounding = part.term >= INTRODUCTION_FOUNDING;
  const said = { incarnation: part.index, address, configuration, isQuestion, isFounding };
  return { kind: "introduction", ...said };
}

/** The transport knows who sent a frame; a message may claim nothing else. */
export function isFrom(envelope: Envelope, nodeId: number): boolean {
  return envelope.kind !== "raft" || envelope.message.from === nodeId;
}

/** Entries and bytes of snapshots may be long; nothing else waits behind them. */
export function laneOf(envelope: Envelope): Lane {
  if (envelope.kind === "snapshotChunk" || envelope.kind === "entriesReply") return "bulk";
  return envelope.kind === "raft" && envelope.message.type === "AppendEntries" ? "bulk" : "control";
}

/** An answer to a heartbeat: mostly there is nothing to do about it. */
export function isHeartbeatReply(envelope: Envelope): boolean {
  return envelope.kind === "raft" && envelope.message.type === "HeartbeatReply";
}
