/** Gathers what a fetch asks for, out of what is committed and applied on this node. */

import { errorDetail, OperationError, RecordBatch } from "@quorumlog/protocol";
import type {
  FetchRequest,
  QueueBatches,
  QueuePosition,
  StoredBatch,
} from "@quorumlog/protocol/messages";
import { ReplicaError } from "@quorumlog/replica";
import { Prng } from "@quorumlog/std";
import type { BrokerGroup } from "../broker-group.ts";
import { isDamage } from "../operation-errors.ts";
import { type QueueKey, queueKey } from "../state/queue-key.ts";
import type { FollowerReads } from "./follower-reads.ts";
import { QueueRead, rowsAlong } from "./queue-read.ts";

const FETCH_BYTES = 1024 * 1024;
const FETCH_BYTES_MAX = 8 * 1024 * 1024;
/** In milliseconds: a fetch that has found something is answered then, however much it asks for. */
const LOOK_MS = 5;
/** Of one queue, however many are read. */
const SHARE_BYTES_MIN = 64 * 1024;
const SHARE_ROWS_MIN = 16;
/** Of one queue alone: the more there are, the fewer of each are reached in time. */
const SHARE_ROWS_MAX = 4_096;
/** One fetch of so many begins with any queue, the others with the one that is furthest behind. */
const TURNS = 4;
const ONE_RECORD = { maxBytes: 1 };

export interface Collected {
  readonly queues: readonly QueueBatches.$Properties[];
  /** Whether there is anything to tell: a batch, an error, or an offset that has moved. */
  readonly hasNews: boolean;
  /** Of its batches. */
  readonly bytes: number;
}

type Position = QueuePosition.$Properties;

export class FetchCollector {
  readonly #group: BrokerGroup;
  readonly #followers: FollowerReads;
  /**
   * Says who is first: with little room, others have their turn later. A count would meet the same
   * of several clients that take turns again and again.
   */
  readonly #chance = new Prng(1);
  /** Of the fetch that is being looked at: whoever asks for more asks again. */
  #deadline = 0;

  constructor(group: BrokerGroup, followers: FollowerReads) {
    this.#group = group;
    this.#followers = followers;
  }

  /** The queues that a fetch waits for. */
  static keysOf(request: FetchRequest): QueueKey[] {
    return request.positions.map(({ topicId, queue }) => queueKey(topicId ?? 0, queue ?? 0));
  }

  collect(request: FetchRequest): Collected {
    const { positions } = request;
    const bytesMax = Math.min(
      request.bytesMax === 0 ? FETCH_BYTES : request.bytesMax,
      FETCH_BYTES_MAX,
    );
    const queues: QueueBatches.$Properties[] = [];
    const reads: QueueRead[] = [];
    const first = this.#chance.below(positions.length);
    this.#deadline = performance.now() + LOOK_MS;
    for (let i = 0; i < positions.length; i++) {
      const position = positions[(i + first) % positions.length] as Position;
      if (reads.length > 0 && this.#isLate()) break;
      const found = this.#lookAt(request, position);
      if (found instanceof QueueRead) reads.push(found);
      else if (found !== undefined) queues.push(found);
    }
    const bytes = this.#readAll(reads, bytesMax);
    for (const read of reads) {
      const told = this.#toldOf(read);
      if (told !== undefined) queues.push(told);
    }
    return { queues, hasNews: queues.length > 0, bytes };
  }

  /** @returns an error; or `undefined` if there is nothing new. */
  #lookAt(
    { consumerGroup }: FetchRequest,
    position: Position,
  ): QueueRead | QueueBatches.$Properties | undefined {
    const { topicId = 0, queue = 0, offset } = position;
    try {
      const key = this.#demandQueue(topicId ?? 0, queue ?? 0);
      const { machine } = this.#group;
      const token = position.fencingToken ?? undefined;
      if (token !== undefined && machine.offsets.isStale(consumerGroup, key, token))
        throw staleToken(token);
      const endOffset = machine.queues.end(key);
      const from = offset ?? 0;
      // Of most queues that a fetch has waited for; the rest is for those that have more.
      if (from === endOffset) return undefined;
      const firstOffset = machine.index.firstOffset(key) ?? endOffset;
      if (from < firstOffset || from > endOffset) throw outOfRange(from, firstOffset, endOffset);
      return new QueueRead({ position, key, firstOffset, endOffset });
    } catch (error) {
      return { topicId, queue, error: errorDetail(this.#errorOf(error, position)) };
    }
  }

  /**
   * Along the log, from whatever is furthest behind: small batches of many queues share its
   * entries, and each of those is read once. But now and then from any other queue: one that is far
   * behind does not keep the others waiting.
   *
   * @returns bytes of batches.
   */
  #readAll(reads: readonly QueueRead[], bytesMax: number): number {
    const bytesEach = Math.max(SHARE_BYTES_MIN, Math.floor(bytesMax / reads.length));
    const rowsEach = Math.max(SHARE_ROWS_MIN, Math.floor(SHARE_ROWS_MAX / reads.length ** 2));
    for (const [i, read] of reads.entries()) {
      if (i > 0 && this.#isLate()) break;
      this.#findRows(read, { bytes: bytesEach, rows: rowsEach });
    }
    const isFurthestFirst = this.#chance.below(TURNS) > 0;
    const leads = isFurthestFirst ? reads.toSorted((a, b) => placeOf(a) - placeOf(b)) : reads;
    let bytes = 0;
    for (const lead of leads) {
      if (bytes > 0 && this.#isLate()) return bytes;
      if (lead.next === undefined) continue;
      for (const { read, logOffset } of rowsAlong(lead, reads)) {
        if (bytes > 0 && (bytes >= bytesMax || this.#isLate())) return bytes;
        if (read.next === undefined) continue;
        bytes += this.#readNext(read, logOffset);
      }
    }
    return bytes;
  }

  #findRows(read: QueueRead, share: { readonly bytes: number; readonly rows: number }): void {
    const { bytesMax, offset } = read.position;
    const own = bytesMax ?? 0;
    const bytes = own === 0 ? share.bytes : Math.min(own, share.bytes);
    const from = offset ?? 0;
    read.rows = this.#group.machine.index.range(read.key, from, { bytes, rows: share.rows });
    if (read.rows.length === 0) read.fail(notFound(from));
  }

  /** @returns bytes of the batch, if there is one. */
  #readNext(read: QueueRead, logOffset: number): number {
    try {
      const [record] = this.#group.replica.read(logOffset, ONE_RECORD).records;
      if (record !== undefined) {
        read.add(record.data);
        return record.data.byteLength;
      }
    } catch (error) {
      const isLeft = read.batches.length > 0 && isDamage(error);
      if (!isLeft) read.fail(this.#errorOf(error, read.position));
    }
    read.stop();
    return 0;
  }

  /** @returns `undefined` if its turn has not come. */
  #toldOf(read: QueueRead): QueueBatches.$Properties | undefined {
    const { key, position, batches, nextOffset, firstOffset, endOffset } = read;
    const { topicId = 0, queue = 0, tags } = position;
    if (read.error !== undefined) return { topicId, queue, error: errorDetail(read.error) };
    if (nextOffset === undefined) return undefined;
    const wanted = hasAny(tags) ? batches.filter((batch) => hasTag(batch, tags)) : batches;
    const elsewhere = this.#followers.suggest(key, read.rows[0]?.logOffset ?? Infinity);
    const told = { topicId, queue, firstOffset, endOffset, nextOffset, batches: wanted };
    return elsewhere === undefined ? told : { ...told, ...elsewhere };
  }

  #demandQueue(topicId: number, queue: number): QueueKey {
    const { machine, groupId } = this.#group;
    const topic = machine.metadata.topicById(topicId);
    if (topic === undefined)
      throw new OperationError(
        "UNKNOWN_TOPIC",
        `there is no topic ${topicId} any more, or not yet`,
      );
    const owner = topic.queueGroupIds[queue];
    if (owner === undefined)
      throw new OperationError("UNKNOWN_QUEUE", `"${topic.name}" has no queue ${queue}`);
    if (owner !== groupId)
      throw new OperationError("WRONG_GROUP", `queue ${queue} of "${topic.name}" is of ${owner}`);
    if (!topic.isReadable)
      throw new OperationError("TOPIC_NOT_READABLE", `"${topic.name}" is not to be read now`);
    return queueKey(topicId, queue);
  }

  #isLate(): boolean {
    return performance.now() >= this.#deadline;
  }

  #errorOf(error: unknown, { topicId, queue, offset }: Position): OperationError {
    if (!(error instanceof ReplicaError) || error.code !== "TRIMMED")
      return this.#group.operationError(error);
    // The index has not heard of it yet.
    const { machine, replica } = this.#group;
    machine.index.trim(replica.status().firstOffset);
    const key = queueKey(topicId ?? 0, queue ?? 0);
    const endOffset = machine.queues.end(key);
    return outOfRange(offset ?? 0, machine.index.firstOffset(key) ?? endOffset, endOffset);
  }
}

function placeOf({ next }: QueueRead): number {
  return next?.logOffset ?? Infinity;
}

function staleToken(token: number): OperationError {
  const message = `token ${token} is over: the queue was claimed anew, or its offset was reset`;
  return new OperationError("STALE_FENCING_TOKEN", message);
}

function hasAny(tags: readonly string[] | null | undefined): tags is readonly string[] {
  return tags !== null && tags !== undefined && tags.length > 0;
}

function hasTag({ batch }: StoredBatch.$Properties, tags: readonly string[]): boolean {
  const bytes = batch as Uint8Array;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return RecordBatch.trusted(view)
    .tags()
    .some((tag) => tags.includes(tag));
}

function notFound(offset: number): OperationError {
  const message = `this node does not find offset ${offset}, which it should have`;
  return new OperationError("FAILED", message, { outcome: "not-applied" });
}

function outOfRange(offset: number, firstOffset: number, nextOffset: number): OperationError {
  const message = `offset ${offset} is not in [${firstOffset}, ${nextOffset}]`;
  return new OperationError("OFFSET_OUT_OF_RANGE", message, { range: { firstOffset, nextOffset } });
}
