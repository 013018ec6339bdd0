/**
 * The messages of `proto/quorumlog/peer/v1/handshake.proto`, written and read by hand: three
 * messages once per connection are not worth a dependency. Fields that are not known are skipped.
 */

import { FieldWriter, readFields, readPacked, type WireField } from "./protobuf-wire.ts";
import type { Lane, PeerIdentity } from "./transport.ts";
import { type PeerError, type PeerErrorCode, TransportError } from "./transport-error.ts";

/** Of the protocol: what both ends speak is the highest that lies in both ranges. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

export const VERSIONS: VersionRange = { min: 1, max: 1 };
export const NONCE_BYTES = 32;
export const CHALLENGE_BYTES = 40;
/** Of one message, as its length announces. */
export const HANDSHAKE_BYTES_MAX = 4_096;
const MAGIC = "qlpr";
const GROUP_COUNT_MAX = 256;

export interface Hello {
  readonly versions: VersionRange;
  readonly clusterId: string;
  readonly from: PeerIdentity;
  readonly toNodeId: number;
  readonly lane: Lane;
  readonly groupIds: readonly number[];
  readonly nonce: Uint8Array;
}

export interface Welcome {
  readonly version: number;
  readonly from: PeerIdentity;
}

/** A message as it came, with what its sender claims to prove. */
export interface Proved<T> {
  readonly message: T;
  /** The bytes that the proof covers. */
  readonly covered: Uint8Array;
  readonly proof: Uint8Array;
}

const LANE_NUMBERS: Readonly<Record<Lane, number>> = { control: 1, bulk: 2 };
const PROOF = 15;
const NO_FEATURES = 0;

const REFUSAL_NUMBERS: Readonly<Record<PeerErrorCode, number>> = {
  PEER_REFUSED: 0,
  PEER_VERSION: 1,
  PEER_TOKEN: 2,
  PEER_CLUSTER: 3,
  PEER_NODE: 4,
  PEER_SELF: 5,
  PEER_INCARNATION: 6,
  PEER_HELLO: 7,
  PEER_LIMIT: 8,
};

/** @returns the highest version that lies in both ranges. */
export function commonVersion(one: VersionRange, other: VersionRange): number | undefined {
  const version = Math.min(one.max, other.max);
  return version >= Math.max(one.min, other.min) ? version : undefined;
}

export function encodeChallenge(versions: VersionRange, nonce: Uint8Array): Buffer {
  const challenge = Buffer.alloc(CHALLENGE_BYTES);
  challenge.write(MAGIC, "latin1");
  challenge.writeUInt16LE(versions.min, 4);
  challenge.writeUInt16LE(versions.max, 6);
  challenge.set(nonce, 8);
  return challenge;
}

export function isChallenge(bytes: Buffer): boolean {
  return bytes.toString("latin1", 0, MAGIC.length) === MAGIC;
}

/** @param prove - Makes the proof of the bytes before it; empty for none. */
export function encodeHello(hello: Hello, prove: (covered: Buffer) => Uint8Array): Buffer {
  const { versions, from } = hello;
  const fields = new FieldWriter()
    .varint(1, versions.min)
    .varint(2, versions.max)
    .text(3, hello.clusterId)
    .varint(4, from.nodeId)
    .varint(5, from.incarnation)
    .varint(6, hello.toNodeId)
    .varint(7, LANE_NUMBERS[hello.lane])
    .varint(8, NO_FEATURES)
    .packed(9, hello.groupIds.slice(0, GROUP_COUNT_MAX))
    .bytes(10, hello.nonce);
  return withProof(fields, prove);
}

/** @throws TransportError `PEER_HELLO` */
export function decodeHello(bytes: Uint8Array): Proved<Hello> {
  const { fields, covered, proof } = readProved(bytes);
  const lane = fields.find(({ number }) => number === 7)?.value;
  if (lane !== LANE_NUMBERS.control && lane !== LANE_NUMBERS.bulk) throw unreadable("a lane");
  const nonce = bytesOf(fields, 10);
  if (nonce.byteLength !== NONCE_BYTES) throw unreadable("a nonce");
  const message: Hello = {
    versions: { min: numberOf(fields, 1), max: numberOf(fields, 2) },
    clusterId: textOf(fields, 3),
    from: { nodeId: numberOf(fields, 4), incarnation: numberOf(fields, 5) },
    toNodeId: numberOf(fields, 6),
    lane: lane === LANE_NUMBERS.control ? "control" : "bulk",
    groupIds: numbersOf(fields, 9),
    nonce,
  };
  return { message, covered, proof };
}

export function encodeWelcome(welcome: Welcome, prove: (covered: Buffer) => Uint8Array): Buffer {
  const { version, from } = welcome;
  const fields = new FieldWriter()
    .varint(1, version)
    .varint(2, from.nodeId)
    .varint(3, from.incarnation)
    .varint(4, NO_FEATURES);
  return new FieldWriter().bytes(1, withProof(fields, prove)).finish();
}

export function encodeRefused(error: PeerError): Buffer {
  const refused = new FieldWriter().varint(1, REFUSAL_NUMBERS[error.code]).text(2, error.message);
  return new FieldWriter().bytes(2, refused.finish()).finish();
}

/** @throws TransportError what the acceptor refused, or `PEER_HELLO`. */
export function decodeAnswer(bytes: Uint8Array): Proved<Welcome> {
  const answer = readMessage(bytes);
  if (answer.some(({ number }) => number === 2)) throw refusalOf(bytesOf(answer, 2));
  if (!answer.some(({ number }) => number === 1)) throw unreadable("an answer");
  const { fields, covered, proof } = readProved(bytesOf(answer, 1));
  const from = { nodeId: numberOf(fields, 2), incarnation: numberOf(fields, 3) };
  return { message: { version: numberOf(fields, 1), from }, covered, proof };
}

function refusalOf(bytes: Uint8Array): PeerError {
  const fields = readMessage(bytes);
  const number = numberOf(fields, 1);
  const codes = Object.keys(REFUSAL_NUMBERS) as PeerErrorCode[];
  const code = codes.find((name) => REFUSAL_NUMBERS[name] === number) ?? "PEER_REFUSED";
  return new TransportError(code, printable(textOf(fields, 2)));
}

/** What a stranger wrote goes to a log: without what a terminal would obey. */
function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, "?").slice(0, 300);
}

function withProof(fields: FieldWriter, prove: (covered: Buffer) => Uint8Array): Buffer {
  const proof = prove(fields.finish());
  return proof.byteLength === 0 ? fields.finish() : fields.bytes(PROOF, proof).finish();
}

function readProved(bytes: Uint8Array): {
  fields: WireField[];
  covered: Uint8Array;
  proof: Uint8Array;
} {
  const fields = readMessage(bytes);
  const first = fields.find(({ number }) => number === PROOF);
  if (first === undefined) return { fields, covered: bytes, proof: new Uint8Array(0) };
  // Behind the proof, a field would be covered by nothing.
  if (first !== fields.at(-1)) throw unreadable("a proof as its last field");
  return { fields, covered: bytes.subarray(0, first.start), proof: bytesOf(fields, PROOF) };
}

function readMessage(bytes: Uint8Array): WireField[] {
  const fields = readFields(bytes);
  if (fields === undefined) throw unreadable("fields");
  return fields;
}

/** As protobuf has it, a field that is absent is zero, and the last of several counts. */
function numberOf(fields: readonly WireField[], number: number): number {
  const value = fields.findLast((field) => field.number === number)?.value ?? 0;
  if (typeof value !== "number" || !Number.isSafeInteger(value))
    throw unreadable(`a number as field ${number}`);
  return value;
}

function bytesOf(fields: readonly WireField[], number: number): Uint8Array {
  const value = fields.findLast((field) => field.number === number)?.value ?? new Uint8Array(0);
  if (!(value instanceof Uint8Array)) throw unreadable(`bytes as field ${number}`);
  return value;
}

function textOf(fields: readonly WireField[], number: number): string {
  return Buffer.from(bytesOf(fields, number)).toString("utf8");
}

function numbersOf(fields: readonly WireField[], number: number): number[] {
  return fields
    .filter((field) => field.number === number)
    .flatMap(({ value }) => {
      if (typeof value === "number") return [value];
      const values = value === undefined ? undefined : readPacked(value);
      if (values === undefined) throw unreadable(`numbers as field ${number}`);
      return values;
    });
}

function unreadable(what: string): PeerError {
  return new TransportError("PEER_HELLO", `a message of the handshake lacks ${what}`);
}
