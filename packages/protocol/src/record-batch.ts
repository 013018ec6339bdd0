/**
 * A record batch: messages of one queue, encoded once by their producer. The same bytes are stored,
 * replicated and read by consumers; brokers read the header and walk lengths.
 *
 *      0  u32  checksum          CRC-32 of everything behind it
 *      4  u32  length            of the batch, in bytes
 *      8  u8   version           1
 *      9  u8   flags             bits 0-3: compression of the records, see COMPRESSION;
 *                                bit 7: repeated
 *     10  u16  queue
 *     12  u32  topicId
 *     16  u32  recordCount       1 or more
 *     20  u32  sequence          counts a producer's batches in this queue from 1; 0: no producer
 *     24  u64  producerId        0: none
 *     32  u32  producerEpoch
 *     36  u32  recordsBytes      of the records, before they were compressed
 *     40  u64  bornTimestamp     of the first record, milliseconds since 1970
 *     48  u16  keyCount          hashes of keys
 *     50  u8   tagCount          different tags
 *     51  u8   messageType       1 normal, 2 fifo: as in topic.proto
 *     52  u32  headerBytes       where the records begin
 *     56       keyCount * u32    hashes of the records' keys, each once
 *              tagCount * { u8 length, text }
 *              recordCount * u8  which tag each record has, from 1; 0: none. Only if tagCount > 0
 *
 * `repeated`: it was sent before, and what became of that is not known. Its producer sets it, and
 * sums the batch anew; a broker that has forgotten the producer then knows what it cannot know.
 *
 * Little endian; text is UTF-8. What the cluster assigns, offsets and store timestamp, is beside
 * the batch and never in it.
 */

import { crc32 } from "node:zlib";
import { MESSAGE_LIMITS } from "./message.ts";

export const BATCH_HEADER_BYTES = 56;
export const BATCH_VERSION = 1;
export const BATCH_RECORDS_MAX = 65_535;
/** Of a container: what is published at a time, over a stream. */
export const CONTAINER_BATCHES_MAX = 4_096;
/** Of one message as it is published, its properties included. */
export const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

/** Numbers in stored bytes: never reused. */
export const COMPRESSION = { none: 0, deflate: 1 } as const;

export type CompressionNumber = (typeof COMPRESSION)[keyof typeof COMPRESSION];

/** Offsets of the fields, for those who write them. */
export const BATCH_FIELD = {
  checksum: 0,
  length: 4,
  version: 8,
  flags: 9,
  queue: 10,
  topicId: 12,
  recordCount: 16,
  sequence: 20,
  producerId: 24,
  producerEpoch: 32,
  recordsBytes: 36,
  bornTimestamp: 40,
  keyCount: 48,
  tagCount: 50,
  messageType: 51,
  headerBytes: 52,
} as const;

/** Within the flags. */
const COMPRESSION_BITS = 0x0f;
const REPEATED_BIT = 0x80;
/** Of what an honest client of today does not send. */
const LATER = "is not known here: its client is of a later version, and brokers are upgraded first";
const RECORD_LENGTH_BYTES = 4;
/** What a batch may become when it is unpacked: a few hundred bytes could become a great deal. */
const RECORDS_BYTES_MAX = 64 * 1024 * 1024;
const BATCH_BYTES_MIN = BATCH_HEADER_BYTES + RECORD_LENGTH_BYTES;
/** Of a record behind its length: flags, and how much later it was born. */
const RECORD_FIXED_BYTES = 5;
const SEQUENCE_MAX = 2 ** 32 - 1;
const NO_HASHES: readonly number[] = [];
const U32 = 2 ** 32;

/** A batch whose every length and count was looked at; reads of it stay within it. */
export class RecordBatch {
  /** Borrowed from whoever gave them. */
  readonly bytes: Buffer;

  private constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /**
   * Looks through a batch that came from outside.
   *
   * @returns what is wrong with it, as a sentence, if it cannot be one.
   */
  static check(bytes: Buffer): RecordBatch | string {
    return headerProblem(bytes) ?? checksumProblem(bytes) ?? bodyProblem(bytes) ?? new this(bytes);
  }

  /**
   * Of bytes out of the log, which `check` has let pass before they went there; whatever else is
   * there is told apart as far as the fixed part goes.
   */
  static logged(bytes: Buffer): RecordBatch | string {
    return headerProblem(bytes) ?? keysProblem(bytes) ?? new this(bytes);
  }

  /** Of bytes that `check` has let pass before they were stored. */
  static trusted(bytes: Buffer): RecordBatch {
    return new this(bytes);
  }

  /** Whether the bytes are those that somebody has summed, whatever they say. */
  static isIntact(bytes: Buffer): boolean {
    if (bytes.length < BATCH_BYTES_MIN) return false;
    return (
      bytes.readUInt32LE(BATCH_FIELD.length) === bytes.length &&
      checksumProblem(bytes) === undefined
    );
  }

  /**
   * Whether they are a batch that somebody has summed, and that says what only a later version of
   * batches has: {@link check} lets none pass, so a leader of that version has.
   */
  static isOfLaterVersion(bytes: Buffer): boolean {
    return RecordBatch.isIntact(bytes) && laterProblem(bytes) !== undefined;
  }

  get topicId(): number {
    return this.bytes.readUInt32LE(BATCH_FIELD.topicId);
  }

  get queue(): number {
    return this.bytes.readUInt16LE(BATCH_FIELD.queue);
  }

  get recordCount(): number {
    return this.bytes.readUInt32LE(BATCH_FIELD.recordCount);
  }

  get messageType(): number {
    return this.bytes.readUInt8(BATCH_FIELD.messageType);
  }

  /** 0: of no idempotent producer. */
  get producerId(): number {
    return readUInt64(this.bytes, BATCH_FIELD.producerId);
  }

  get producerEpoch(): number {
    return this.bytes.readUInt32LE(BATCH_FIELD.producerEpoch);
  }

  get sequence(): number {
    return this.bytes.readUInt32LE(BATCH_FIELD.sequence);
  }

  get bornTimestamp(): number {
    return readUInt64(this.bytes, BATCH_FIELD.bornTimestamp);
  }

  get compression(): CompressionNumber {
    return (this.bytes.readUInt8(BATCH_FIELD.flags) & COMPRESSION_BITS) as CompressionNumber;
  }

  /** It was sent before, and its producer does not know what became of that. */
  get isRepeated(): boolean {
    return (this.bytes.readUInt8(BATCH_FIELD.flags) & REPEATED_BIT) !== 0;
  }

  /** Before they were compressed. */
  get recordsBytes(): number {
    return this.bytes.readUInt32LE(BATCH_FIELD.recordsBytes);
  }

  get keyCount(): number {
    return this.bytes.readUInt16LE(BATCH_FIELD.keyCount);
  }

  /** Of the keys that its records have, each once. */
  keyHashes(): readonly number[] {
    const count = this.keyCount;
    if (count === 0) return NO_HASHES;
    const hashAt = (i: number): number => this.bytes.readUInt32LE(BATCH_HEADER_BYTES + 4 * i);
    return Array.from({ length: count }, (_, i) => hashAt(i));
  }

  /** The tags that its records have, in no particular order. */
  tags(): string[] {
    const tags: string[] = [];
    let at = BATCH_HEADER_BYTES + 4 * this.keyCount;
    for (let left = this.bytes.readUInt8(BATCH_FIELD.tagCount); left > 0; left--) {
      const end = at + 1 + this.bytes.readUInt8(at);
      tags.push(this.bytes.toString("utf8", at + 1, end));
      at = end;
    }
    return tags;
  }

  /** For each record, the number of its tag in `tags()`, from 1; `undefined` if none has any. */
  tagNumbers(): Buffer | undefined {
    if (this.bytes.readUInt8(BATCH_FIELD.tagCount) === 0) return undefined;
    const end = this.bytes.readUInt32LE(BATCH_FIELD.headerBytes);
    return this.bytes.subarray(end - this.recordCount, end);
  }

  /**
   * Of its largest message as it is published; of one that is compressed, all messages together, as
   * nobody looks into it before the consumer does.
   */
  largestMessageBytes(): number {
    if (this.compression !== COMPRESSION.none) return this.recordsBytes;
    let largest = 0;
    for (let at = this.bytes.readUInt32LE(BATCH_FIELD.headerBytes); at < this.bytes.length;) {
      const length = this.bytes.readUInt32LE(at);
      largest = Math.max(largest, length);
      at += RECORD_LENGTH_BYTES + length;
    }
    return largest;
  }

  /** As they are stored, perhaps compressed. */
  records(): Buffer {
    return this.bytes.subarray(this.bytes.readUInt32LE(BATCH_FIELD.headerBytes));
  }
}

/** What lies in the fixed part is possible in itself, and with each other. */
function headerProblem(bytes: Buffer): string | undefined {
  if (bytes.length < BATCH_BYTES_MIN)
    return `${bytes.length} bytes are less than the ${BATCH_BYTES_MIN} of the smallest batch`;
  const length = bytes.readUInt32LE(BATCH_FIELD.length);
  if (length !== bytes.length) return `it says it has ${length} bytes, and has ${bytes.length}`;
  const later = laterProblem(bytes);
  if (later !== undefined) return later;
  const count = bytes.readUInt32LE(BATCH_FIELD.recordCount);
  if (count < 1 || count > BATCH_RECORDS_MAX)
    return `${count} records are not in [1, ${BATCH_RECORDS_MAX}]`;
  for (const field of ["producerId", "bornTimestamp"] as const)
    if (readUInt64(bytes, BATCH_FIELD[field]) > Number.MAX_SAFE_INTEGER)
      return `${field} is above ${Number.MAX_SAFE_INTEGER}`;
  const producerId = readUInt64(bytes, BATCH_FIELD.producerId);
  const sequence = bytes.readUInt32LE(BATCH_FIELD.sequence);
  if ((producerId === 0) !== (sequence === 0))
    return "a producer without a sequence, or the other way round";
  return undefined;
}

function laterProblem(bytes: Buffer): string | undefined {
  const version = bytes.readUInt8(BATCH_FIELD.version);
  if (version !== BATCH_VERSION) return `version ${version} of batches ${LATER}`;
  const flags = bytes.readUInt8(BATCH_FIELD.flags);
  const unknown = flags & ~COMPRESSION_BITS & ~REPEATED_BIT;
  if (unknown !== 0) return `flag 0x${unknown.toString(16)} ${LATER}`;
  const compression = flags & COMPRESSION_BITS;
  return compression > COMPRESSION.deflate ? `compression ${compression} ${LATER}` : undefined;
}

/** The hashes lie before the records, and those within the bytes. */
function keysProblem(bytes: Buffer): string | undefined {
  const headerBytes = bytes.readUInt32LE(BATCH_FIELD.headerBytes);
  if (headerBytes > bytes.length) return `its records begin at ${headerBytes}, behind its end`;
  const keysEnd = BATCH_HEADER_BYTES + 4 * bytes.readUInt16LE(BATCH_FIELD.keyCount);
  return keysEnd <= headerBytes ? undefined : "its keys do not fit its header";
}

function checksumProblem(bytes: Buffer): string | undefined {
  const checksum = crc32(bytes.subarray(BATCH_FIELD.length));
  return checksum === bytes.readUInt32LE(BATCH_FIELD.checksum)
    ? undefined
    : "its checksum does not fit its bytes";
}

/** Lengths add up, to the byte. */
function bodyProblem(bytes: Buffer): string | undefined {
  const count = bytes.readUInt32LE(BATCH_FIELD.recordCount);
  const headerBytes = bytes.readUInt32LE(BATCH_FIELD.headerBytes);
  const tagCount = bytes.readUInt8(BATCH_FIELD.tagCount);
  const problem = keysProblem(bytes);
  if (problem !== undefined) return problem;
  let at = BATCH_HEADER_BYTES + 4 * bytes.readUInt16LE(BATCH_FIELD.keyCount);
  for (let tag = 0; tag < tagCount; tag++) {
    if (at >= headerBytes) return "its tags do not fit its header";
    const length = bytes.readUInt8(at);
    if (length < 1 || length > MESSAGE_LIMITS.tagBytesMax)
      return `tag ${tag} has ${length} bytes, not [1, ${MESSAGE_LIMITS.tagBytesMax}]`;
    at += 1 + length;
  }
  if (tagCount > 0) at += count;
  if (at !== headerBytes) return `its header has ${at} bytes, and says it has ${headerBytes}`;
  if (tagCount > 0 && bytes.subarray(headerBytes - count, headerBytes).some((n) => n > tagCount))
    return "a record has a tag that is not in the header";
  const recordsBytes = bytes.readUInt32LE(BATCH_FIELD.recordsBytes);
  if ((bytes.readUInt8(BATCH_FIELD.flags) & COMPRESSION_BITS) !== COMPRESSION.none)
    return unpackedProblem(recordsBytes, count);
  if (recordsBytes !== bytes.length - headerBytes)
    return `its records have ${bytes.length - headerBytes} bytes, and not ${recordsBytes}`;
  return recordsProblem(bytes, headerBytes, count);
}

/** What can be told of records without unpacking them. */
function unpackedProblem(recordsBytes: number, count: number): string | undefined {
  const bytesMin = count * (RECORD_LENGTH_BYTES + RECORD_FIXED_BYTES);
  if (recordsBytes >= bytesMin && recordsBytes <= RECORDS_BYTES_MAX) return undefined;
  return `${recordsBytes} bytes of ${count} records are not in [${bytesMin}, ${RECORDS_BYTES_MAX}]`;
}

/** Of records as they are: so many as was said, and they end where the bytes end. */
export function recordsProblem(bytes: Buffer, from: number, count: number): string | undefined {
  let at = from;
  for (let record = 0; record < count; record++) {
    if (at + RECORD_LENGTH_BYTES > bytes.length)
      return `it has ${record} records, and not ${count}`;
    const length = bytes.readUInt32LE(at);
    if (length < RECORD_FIXED_BYTES || length > MESSAGE_BYTES_MAX)
      return `record ${record} cannot have ${length} bytes, of ${MESSAGE_BYTES_MAX} at most`;
    at += RECORD_LENGTH_BYTES + length;
  }
  return at === bytes.length ? undefined : `${count} records end at ${at}, not at ${bytes.length}`;
}

/** @returns the same batch as one that was sent before; the bytes given stay as they are. */
export function repeatedBatch(bytes: Buffer): Buffer {
  if (RecordBatch.trusted(bytes).isRepeated) return bytes;
  const repeated = Buffer.from(bytes);
  repeated.writeUInt8(bytes.readUInt8(BATCH_FIELD.flags) | REPEATED_BIT, BATCH_FIELD.flags);
  repeated.writeUInt32LE(crc32(repeated.subarray(BATCH_FIELD.length)), BATCH_FIELD.checksum);
  return repeated;
}

/** The batch's number after this one; numbers go round, past 0. */
export function sequenceAfter(sequence: number): number {
  return sequence === SEQUENCE_MAX ? 1 : sequence + 1;
}

function readUInt64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * U32;
}

export function writeUInt64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value % U32, at);
  bytes.writeUInt32LE(Math.floor(value / U32), at + 4);
}
