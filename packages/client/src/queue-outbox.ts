/**
 * The batches of one queue, in order, and the numbers that they bear.
 *
 * An idempotent producer numbers its batches in a queue from 1; the broker stores a number once,
 * and refuses one that leaves a gap. Several are under way at a time: if one is refused, those
 * behind it are, too, and all are sent again, in order. When a batch is given up, its number may
 * have been used or not, and the chain is broken: what is sent for the first time after that is of
 * another producer id, from 1 again, and waits until everything of the former one is settled. What
 * was sent and is uncertain keeps its number whatever happens: under another one it might be stored
 * twice.
 */

import { randomBytes } from "node:crypto";
import { assert } from "@quorumlog/std";
import {
  BATCH_HEADER_BYTES,
  RecordBatchBuilder,
  repeatedBatch,
  sequenceAfter,
  type SpareMemory,
} from "@quorumlog/protocol";
import type { TopicRoute } from "./cluster-route.ts";
import { OutgoingBatch } from "./outgoing-batch.ts";
import type { SendCall } from "./send-call.ts";

/** As many as brokers remember of a producer in a queue. */
const UNDER_WAY_MAX = 5;
const COMPRESS_BYTES_MIN = 4_096;
const HEAD_BYTES = 16;

export interface OutboxOptions {
  readonly batchBytesMax: number;
  readonly compress: boolean;
  readonly memory: SpareMemory;
}

export class QueueOutbox {
  readonly topic: TopicRoute;
  readonly queue: number;
  readonly groupId: number;
  /** It is in its sender's list of those that may have something to send. */
  isListed = false;
  /** Counts the batches that take no more calls. */
  closedCount = 0;
  readonly #options: OutboxOptions;
  readonly #batches: OutgoingBatch[] = [];
  #underWay = 0;
  #producerId = freshProducerId();
  #sequence = 1;

  constructor(topic: TopicRoute, queue: number, options: OutboxOptions) {
    this.topic = topic;
    this.queue = queue;
    this.groupId = topic.groupIds[queue] as number;
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#batches.length === 0;
  }

  add(call: SendCall): void {
    const { batchBytesMax } = this.#options;
    let last = this.#batches.at(-1);
    const isOpen =
      last !== undefined &&
      last.encoded === undefined &&
      !last.isFull &&
      last.durability === call.durability &&
      last.bytes + call.bytes <= batchBytesMax &&
      call.others === undefined;
    if (last === undefined || !isOpen) {
      if (last !== undefined && !last.isFull && last.encoded === undefined) this.#close(last);
      last = new OutgoingBatch(this, call.durability);
      this.#batches.push(last);
    }
    last.add(call);
    // Before it is too full for one more: that message would begin a batch here, and be alone in
    // it, as those behind it go to another queue.
    if (call.others !== undefined || last.bytes + call.bytes > batchBytesMax) this.#close(last);
  }

  /** @returns what may be sent next, which stays. */
  next(): OutgoingBatch | undefined {
    if (this.#underWay >= UNDER_WAY_MAX) return undefined;
    const batch = this.#batches.find(({ state }) => state === "waiting");
    if (batch === undefined || this.#underWay === 0) return batch;
    // Nothing keeps those in order that have no numbers.
    if (batch.durability !== "quorum") return undefined;
    const isFresh = batch.encoded === undefined;
    const hinders = (other: OutgoingBatch): boolean =>
      other.encoded !== undefined &&
      (other.producerId === 0 || (isFresh && other.producerId !== this.#producerId));
    return this.#batches.some(hinders) ? undefined : batch;
  }

  /** Of what `next` has given: it is under way with its bytes, which stay but for their flags. */
  send(batch: OutgoingBatch): Buffer {
    assert(batch.state === "waiting", "a batch is sent once at a time");
    // A broker may have stored it, and have forgotten whose it is.
    if (batch.isUncertain && batch.encoded !== undefined)
      batch.encoded = repeatedBatch(batch.encoded);
    const encoded = batch.encoded ?? this.#encode(batch);
    batch.state = "under-way";
    this.#underWay += 1;
    return encoded;
  }

  /** It is to be sent again. */
  putBack(batch: OutgoingBatch): void {
    if (batch.state !== "under-way") return;
    batch.state = "waiting";
    this.#underWay -= 1;
  }

  /** It was answered, and no attempt to send it is uncertain: nobody will read its bytes. */
  letGo(batch: OutgoingBatch): void {
    const { memory } = batch;
    if (memory === undefined || batch.isUncertain) return;
    batch.memory = undefined;
    this.#options.memory.give(memory);
  }

  /** It was answered for good, and its number was used. */
  finish(batch: OutgoingBatch): void {
    if (batch.state === "under-way") this.#underWay -= 1;
    batch.state = "done";
    const at = this.#batches.indexOf(batch);
    if (at === 0) this.#batches.shift();
    else if (at > 0) this.#batches.splice(at, 1);
  }

  /** It is not sent again, and what became of it, or of its number, is not known. */
  giveUp(batch: OutgoingBatch): void {
    if (batch.state === "done") return;
    if (batch.encoded === undefined && !batch.isFull) this.#close(batch);
    this.finish(batch);
    if (batch.producerId === this.#producerId) this.#breakChain();
  }

  /**
   * A broker misses what comes before this batch.
   *
   * @returns whether it is sent again; if not, nobody knows what became of it.
   */
  onGap(batch: OutgoingBatch): boolean {
    const isFirst = this.#batches.find((one) => one.producerId === batch.producerId) === batch;
    if (!isFirst) return true;
    if (batch.producerId === this.#producerId) this.#breakChain();
    if (batch.isUncertain) return false;
    batch.encoded = undefined;
    batch.producerId = 0;
    return true;
  }

  /** A call leaves a batch that was never sent. */
  drop(batch: OutgoingBatch, call: SendCall): void {
    assert(batch.encoded === undefined, "what was sent stays in its batch");
    batch.bytes -= call.bytes;
  }

  #breakChain(): void {
    this.#producerId = freshProducerId();
    this.#sequence = 1;
  }

  #close(batch: OutgoingBatch): void {
    batch.isFull = true;
    this.closedCount += 1;
  }

  #encode(batch: OutgoingBatch): Buffer {
    if (!batch.isFull) this.#close(batch);
    const { compress, memory } = this.#options;
    const bytes = BATCH_HEADER_BYTES + batch.bytes + HEAD_BYTES * batch.calls.length;
    batch.memory = memory.take(bytes);
    const builder = new RecordBatchBuilder(batch.memory);
    if (batch.liveCount < batch.calls.length)
      batch.calls = batch.calls.filter((call) => !call.isSettled);
    const rest = batch.calls.findIndex((call) => !addAll(builder, call));
    if (rest > 0) this.#split(batch, rest);
    const isNumbered = batch.durability === "quorum";
    batch.producerId = isNumbered ? this.#producerId : 0;
    batch.encoded = builder.build(
      {
        topicId: this.topic.topicId,
        queue: this.queue,
        messageType: this.topic.messageType,
        producerId: batch.producerId,
        producerEpoch: 0,
        sequence: isNumbered ? this.#sequence : 0,
      },
      { compress: compress && builder.recordsBytes >= COMPRESS_BYTES_MIN },
    );
    // Compressed, with labels, or larger than its calls have said: its bytes are elsewhere.
    if (batch.encoded.buffer !== batch.memory.buffer) this.letGo(batch);
    if (isNumbered) this.#sequence = sequenceAfter(this.#sequence);
    return batch.encoded;
  }

  /** There are more tags or keys than a batch takes: the rest becomes one behind it. */
  #split(batch: OutgoingBatch, from: number): void {
    const rest = new OutgoingBatch(this, batch.durability);
    rest.isFull = true;
    for (const call of batch.calls.splice(from)) {
      batch.bytes -= call.bytes;
      batch.liveCount -= 1;
      rest.add(call);
    }
    this.#batches.splice(this.#batches.indexOf(batch) + 1, 0, rest);
  }
}

function addAll(builder: RecordBatchBuilder, call: SendCall): boolean {
  if (call.others === undefined) return builder.add(call.encoded());
  // Those of one call have a batch for themselves, and were counted before.
  for (const message of call.others) {
    const isTaken = builder.add(call.encoded(message));
    assert(isTaken, "a batch takes all messages of a call");
  }
  return true;
}

/** 53 random bits, and not 0. */
function freshProducerId(): number {
  const bytes = randomBytes(8);
  return (bytes.readUInt32LE(0) & 0x1f_ffff) * 2 ** 32 + bytes.readUInt32LE(4) || 1;
}
