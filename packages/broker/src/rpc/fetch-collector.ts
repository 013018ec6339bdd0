/** Gathers what a fetch asks for, out of what is committed and applied on this node. */

import { errorDetail, OperationError, RecordBatch } from "@quorumlog/protocol";
import type {
  FetchRequest,
  QueueBatches,
  QueuePosition,
  StoredBatch,
} from "@quorumlog/protocol/messages";
import { type LogRecord, ReplicaError } from "@quorumlog/replica";
import type { BrokerGroup } from "../broker-group.ts";
import { isDamage } from "../operation-errors.ts";
import type { IndexRow } from "../queue-index/index-row.ts";
import { type QueueKey, queueKey } from "../state/queue-key.ts";
import type { FollowerReads } from "./follower-reads.ts";

const FETCH_BYTES = 1024 * 1024;
const FETCH_BYTES_MAX = 8 * 1024 * 1024;
/** In milliseconds: a fetch that has found something is answered then, however much it asks for. */
const LOOK_MS = 5;
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
  /** Which position is first: with little room, the others have their turn later. */
  #turn = 0;
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
    let hasBatches = false;
    let bytes = 0;
    this.#turn += 1;
    this.#deadline = performance.now() + LOOK_MS;
    for (let i = 0; i < positions.length; i++) {
      const position = positions[(i + this.#turn) % positions.length] as Position;
      if (hasBatches && (bytes >= bytesMax || this.#isLate())) break;
      const found = this.#collectQueue(request, position, Math.max(1, bytesMax - bytes));
      if (found === undefined) continue;
      queues.push(found);
      for (const { batch } of found.batches ?? []) bytes += batch?.byteLength ?? 0;
      hasBatches ||= (found.batches?.length ?? 0) > 0;
    }
    return { queues, hasNews: queues.length > 0, bytes };
  }

  /** @returns `undefined` if there is nothing new. */
  #collectQueue(
    { consumerGroup }: FetchRequest,
    position: Position,
    bytesMax: number,
  ): QueueBatches.$Properties | undefined {
    const { topicId = 0, queue = 0, offset = 0, tags } = position;
    const place = { topicId, queue };
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
      const own = position.bytesMax ?? 0;
      const bytes = own === 0 ? bytesMax : Math.min(own, bytesMax);
      const rows = machine.index.range(key, from, bytes);
      const batches = this.#read(rows);
      const wanted = hasAny(tags) ? batches.filter((batch) => hasTag(batch, tags)) : batches;
      // Of what was read: what was not is never passed over.
      const nextOffset = rows[batches.length - 1]?.endOffset;
      if (nextOffset === undefined) throw notFound(from);
      const elsewhere = this.#followers.suggest(key, rows[0]?.logOffset ?? Infinity);
      return { ...place, firstOffset, endOffset, nextOffset, batches: wanted, ...elsewhere };
    } catch (error) {
      return { ...place, error: errorDetail(this.#errorOf(error, position)) };
    }
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

  #read(rows: readonly IndexRow[]): StoredBatch.$Properties[] {
    const batches: StoredBatch.$Properties[] = [];
    for (const { logOffset, baseOffset, storeTimestamp: storeTimestampMs } of rows) {
      if (batches.length > 0 && this.#isLate()) break;
      const record = this.#recordAt(logOffset, batches.length > 0);
      if (record === undefined) break;
      batches.push({ baseOffset, storeTimestampMs, batch: record.data });
    }
    return batches;
  }

  #isLate(): boolean {
    return performance.now() >= this.#deadline;
  }

  /** @returns none behind batches that can be read, if it is damaged. */
  #recordAt(logOffset: number, hasBatches: boolean): LogRecord | undefined {
    try {
      return this.#group.replica.read(logOffset, ONE_RECORD).records[0];
    } catch (error) {
      if (hasBatches && isDamage(error)) return undefined;
      throw error;
    }
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
