/** Encodes messages into a record batch: once, and then its bytes are what travels. */

import { crc32, deflateRawSync } from "node:zlib";
import { assert } from "@quorumlog/std";
import { keyHash } from "./key-hash.ts";
import type { EncodedMessage } from "./message.ts";
import {
  BATCH_FIELD,
  BATCH_HEADER_BYTES,
  BATCH_RECORDS_MAX,
  BATCH_VERSION,
  COMPRESSION,
  writeUInt64,
} from "./record-batch.ts";
import { recordBytes, recordHead, writeRecord } from "./record-codec.ts";

/** Where a batch goes, and which one of its producer's it is. */
export interface BatchPlace {
  readonly topicId: number;
  readonly queue: number;
  /** As in topic.proto: 1 normal, 2 fifo. */
  readonly messageType: number;
  /** 0: without an idempotent producer; then the other two are 0, too. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly sequence: number;
}

const TAGS_MAX = 255;
const KEYS_MAX = 65_535;
const BYTES_MIN = 4_096;
/** Better than the level by a twentieth, at a third of its time. */
const DEFLATE_LEVEL = 1;

export class RecordBatchBuilder {
  #records: Buffer;
  #end = 0;
  #count = 0;
  #bornTimestamp = 0;
  readonly #keyHashes = new Set<number>();
  /** Their numbers, from 1. */
  readonly #tags = new Map<string, number>();
  readonly #tagNumbers: number[] = [];

  /** @param bytes - That are expected; it grows if there are more. */
  constructor(bytes = BYTES_MIN) {
    this.#records = Buffer.allocUnsafe(bytes);
  }

  get recordCount(): number {
    return this.#count;
  }

  /** Of the records alone, before they are compressed. */
  get recordsBytes(): number {
    return this.#end;
  }

  /**
   * Copies a message in; what `messageProblem` finds fault with must not come here.
   *
   * @returns false if this batch takes no more: build it, and begin another one.
   */
  add(message: EncodedMessage): boolean {
    const { body, tag, keys, bornTimestamp } = message;
    if (this.#count === BATCH_RECORDS_MAX) return false;
    if (this.#keyHashes.size + (keys?.length ?? 0) > KEYS_MAX) return false;
    if (tag !== undefined && !this.#tags.has(tag) && this.#tags.size === TAGS_MAX) return false;
    const head = recordHead(message);
    const bytes = recordBytes(head, body.length);
    if (this.#end + bytes > this.#records.length) this.#grow(this.#end + bytes);
    if (this.#count === 0) this.#bornTimestamp = bornTimestamp;
    const bornDelay = bornTimestamp - this.#bornTimestamp;
    this.#end = writeRecord(this.#records, this.#end, { head, body, bornDelay });
    this.#count += 1;
    this.#tagNumbers.push(tag === undefined ? 0 : this.#numberOf(tag));
    if (keys !== undefined) for (const key of keys) this.#keyHashes.add(keyHash(key));
    return true;
  }

  /** @returns the batch's bytes, which are the caller's; this builder is done. */
  build(place: BatchPlace, { compress = false }: { readonly compress?: boolean } = {}): Buffer {
    assert(this.#count > 0, "a batch has records");
    const plain = this.#records.subarray(0, this.#end);
    const deflated = compress ? deflateRawSync(plain, { level: DEFLATE_LEVEL }) : plain;
    const isSmaller = deflated.length < plain.length;
    const records = isSmaller ? deflated : plain;
    const header = this.#header(place, isSmaller ? COMPRESSION.deflate : COMPRESSION.none);
    const batch = Buffer.allocUnsafe(header.length + records.length);
    header.copy(batch);
    records.copy(batch, header.length);
    batch.writeUInt32LE(batch.length, BATCH_FIELD.length);
    batch.writeUInt32LE(crc32(batch.subarray(BATCH_FIELD.length)), BATCH_FIELD.checksum);
    return batch;
  }

  #header(place: BatchPlace, compression: number): Buffer {
    const tags = [...this.#tags.keys()].map((tag) => Buffer.from(tag));
    const tagBytes = tags.reduce((sum, tag) => sum + 1 + tag.length, 0);
    const numbersBytes = tags.length === 0 ? 0 : this.#count;
    const keyBytes = 4 * this.#keyHashes.size;
    const header = Buffer.alloc(BATCH_HEADER_BYTES + keyBytes + tagBytes + numbersBytes);
    header.writeUInt8(BATCH_VERSION, BATCH_FIELD.version);
    header.writeUInt8(compression, BATCH_FIELD.compression);
    header.writeUInt16LE(place.queue, BATCH_FIELD.queue);
    header.writeUInt32LE(place.topicId, BATCH_FIELD.topicId);
    header.writeUInt32LE(this.#count, BATCH_FIELD.recordCount);
    header.writeUInt32LE(place.sequence, BATCH_FIELD.sequence);
    writeUInt64(header, place.producerId, BATCH_FIELD.producerId);
    header.writeUInt32LE(place.producerEpoch, BATCH_FIELD.producerEpoch);
    header.writeUInt32LE(this.#end, BATCH_FIELD.recordsBytes);
    writeUInt64(header, this.#bornTimestamp, BATCH_FIELD.bornTimestamp);
    header.writeUInt16LE(this.#keyHashes.size, BATCH_FIELD.keyCount);
    header.writeUInt8(tags.length, BATCH_FIELD.tagCount);
    header.writeUInt8(place.messageType, BATCH_FIELD.messageType);
    header.writeUInt32LE(header.length, BATCH_FIELD.headerBytes);
    let at = BATCH_HEADER_BYTES;
    for (const hash of this.#keyHashes) at = header.writeUInt32LE(hash, at);
    for (const tag of tags) {
      at = header.writeUInt8(tag.length, at);
      at += tag.copy(header, at);
    }
    if (tags.length > 0) header.set(this.#tagNumbers, at);
    return header;
  }

  #numberOf(tag: string): number {
    const known = this.#tags.get(tag);
    if (known !== undefined) return known;
    const number = this.#tags.size + 1;
    this.#tags.set(tag, number);
    return number;
  }

  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafe(Math.max(bytes, 2 * this.#records.length));
    this.#records.copy(larger, 0, 0, this.#end);
    this.#records = larger;
  }
}
