/** Encodes messages into a record batch: once, and then its bytes are what travels. */

import { crc32, deflateRawSync } from "node:zlib";
import { assert } from "@quorumlog/std";
import { BatchLabels } from "./batch-labels.ts";
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

const BYTES_MIN = 4_096;
/** Better than the level by a twentieth, at a third of its time. */
const DEFLATE_LEVEL = 1;

export class RecordBatchBuilder {
  /** Records, behind room for the header of a batch without labels: most are built in place. */
  #bytes: Buffer;
  #end = BATCH_HEADER_BYTES;
  #count = 0;
  #bornTimestamp = 0;
  /** Once there are any. */
  #labels: BatchLabels | undefined;

  /**
   * @param room - Of records, that are expected, or memory for the batch: the bytes of a batch
   *   without labels are in it. It grows if there are more.
   */
  constructor(room: number | Buffer = BYTES_MIN) {
    this.#bytes = typeof room === "number" ? Buffer.allocUnsafe(BATCH_HEADER_BYTES + room) : room;
  }

  get recordCount(): number {
    return this.#count;
  }

  /** Of the records alone, before they are compressed. */
  get recordsBytes(): number {
    return this.#end - BATCH_HEADER_BYTES;
  }

  /**
   * Copies a message in; what `messageProblem` finds fault with must not come here.
   *
   * @returns false if this batch takes no more: build it, and begin another one.
   */
  add(message: EncodedMessage): boolean {
    const { body, tag, keys, bornTimestamp } = message;
    if (this.#count === BATCH_RECORDS_MAX) return false;
    if (tag !== undefined || keys !== undefined) {
      this.#labels ??= new BatchLabels();
      if (!this.#labels.hasRoomFor(tag, keys)) return false;
      this.#labels.add(this.#count, tag, keys);
    }
    const head = recordHead(message);
    const bytes = recordBytes(head, body.length);
    if (this.#end + bytes > this.#bytes.length) this.#grow(this.#end + bytes);
    if (this.#count === 0) this.#bornTimestamp = bornTimestamp;
    const bornDelay = bornTimestamp - this.#bornTimestamp;
    this.#end = writeRecord(this.#bytes, this.#end, { head, body, bornDelay });
    this.#count += 1;
    return true;
  }

  /** @returns the batch's bytes, which are the caller's; this builder is done. */
  build(place: BatchPlace, { compress = false }: { readonly compress?: boolean } = {}): Buffer {
    assert(this.#count > 0, "a batch has records");
    const plain = this.#bytes.subarray(BATCH_HEADER_BYTES, this.#end);
    const deflated = compress ? deflateRawSync(plain, { level: DEFLATE_LEVEL }) : plain;
    const isSmaller = deflated.length < plain.length;
    const labels = this.#labels?.encode(this.#count);
    const batch =
      labels === undefined && !isSmaller
        ? this.#bytes.subarray(0, this.#end)
        : withRoomForHeader(labels, isSmaller ? deflated : plain);
    this.#writeHeader(batch, place, BATCH_HEADER_BYTES + (labels?.length ?? 0));
    const compression = isSmaller ? COMPRESSION.deflate : COMPRESSION.none;
    batch.writeUInt8(compression, BATCH_FIELD.flags);
    batch.writeUInt32LE(batch.length, BATCH_FIELD.length);
    batch.writeUInt32LE(crc32(batch.subarray(BATCH_FIELD.length)), BATCH_FIELD.checksum);
    return batch;
  }

  /** All but what depends on the bytes of the batch. */
  #writeHeader(batch: Buffer, place: BatchPlace, headerBytes: number): void {
    batch.fill(0, 0, BATCH_HEADER_BYTES);
    batch.writeUInt8(BATCH_VERSION, BATCH_FIELD.version);
    batch.writeUInt16LE(place.queue, BATCH_FIELD.queue);
    batch.writeUInt32LE(place.topicId, BATCH_FIELD.topicId);
    batch.writeUInt32LE(this.#count, BATCH_FIELD.recordCount);
    batch.writeUInt32LE(place.sequence, BATCH_FIELD.sequence);
    writeUInt64(batch, place.producerId, BATCH_FIELD.producerId);
    batch.writeUInt32LE(place.producerEpoch, BATCH_FIELD.producerEpoch);
    batch.writeUInt32LE(this.recordsBytes, BATCH_FIELD.recordsBytes);
    writeUInt64(batch, this.#bornTimestamp, BATCH_FIELD.bornTimestamp);
    batch.writeUInt16LE(this.#labels?.keyCount ?? 0, BATCH_FIELD.keyCount);
    batch.writeUInt8(this.#labels?.tagCount ?? 0, BATCH_FIELD.tagCount);
    batch.writeUInt8(place.messageType, BATCH_FIELD.messageType);
    batch.writeUInt32LE(headerBytes, BATCH_FIELD.headerBytes);
  }

  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafe(Math.max(bytes, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }
}

function withRoomForHeader(labels: Buffer | undefined, records: Buffer): Buffer {
  const labelBytes = labels?.length ?? 0;
  const batch = Buffer.allocUnsafe(BATCH_HEADER_BYTES + labelBytes + records.length);
  labels?.copy(batch, BATCH_HEADER_BYTES);
  records.copy(batch, BATCH_HEADER_BYTES + labelBytes);
  return batch;
}
