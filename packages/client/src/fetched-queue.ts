/**
 * One queue that is read: what was fetched of it and not taken yet, and where to read on. Batches
 * are decoded as their messages are taken, and verified then.
 */

import { type BatchMessage, batchMessages, OperationError, RecordError } from "@quorumlog/protocol";
import type { StoredBatch } from "@quorumlog/protocol/messages";
import type { TopicRoute } from "./cluster-route.ts";
import { type BatchSource, ConsumedMessage } from "./consumed-message.ts";
import {
  type UndecodableHandling,
  undecodableError,
  type UndecodableMessages,
} from "./undecodable-messages.ts";

/** Damage on the way is gone the next time. */
const DAMAGED_FETCHES_MAX = 3;

export class FetchedQueue {
  readonly source: BatchSource;
  readonly groupId: number;
  /** None: all are wanted. */
  readonly tags: readonly string[];
  /** Where to fetch on. */
  fetchOffset: number;
  /** The next that is not taken. */
  position: number;
  /** Its end, as far as is known. */
  endOffset = 0;
  bufferedBytes = 0;
  isPaused = false;
  /** Counts up when what is under way is not wanted any more. */
  version = 0;
  /** It is in a fetch that is not answered, of this version. */
  isAsked = false;
  /** Not before that time it is asked for again, by `performance.now()`. */
  askAgainAt = 0;
  /** As it was claimed, or found; `undefined`: it may be read by anybody. */
  fencingToken: number | undefined;
  /** Of the follower that it is read from; 0: it is read from the leader. */
  followedNodeId = 0;
  /** Up to there. */
  followedUntil = 0;
  /** Why it is not read on; stays until its position is set. */
  problem: OperationError | undefined = undefined;
  readonly #batches: StoredBatch.$Properties[] = [];
  #decoded: Iterator<BatchMessage> | undefined;
  #damagedCount = 0;
  readonly #undecodable: UndecodableHandling;

  /** @param undecodable - Default: the queue stops, and its problem says why. */
  constructor(
    topic: TopicRoute,
    queue: number,
    tags: readonly string[],
    undecodable: UndecodableHandling = { policy: "stop" },
  ) {
    this.#undecodable = undecodable;
    this.source = { topic: topic.name, topicId: topic.topicId, queue };
    this.groupId = topic.groupIds[queue] as number;
    this.tags = tags;
    this.fetchOffset = 0;
    this.position = 0;
  }

  get hasBatches(): boolean {
    return this.#batches.length > 0;
  }

  seek(offset: number): void {
    this.version += 1;
    this.isAsked = false;
    this.askAgainAt = 0;
    this.fetchOffset = offset;
    this.position = offset;
    this.problem = undefined;
    this.#damagedCount = 0;
    this.#drop();
  }

  put(batches: readonly StoredBatch.$Properties[], nextOffset: number): void {
    for (const batch of batches) {
      this.#batches.push(batch);
      this.bufferedBytes += batch.batch?.length ?? 0;
    }
    this.fetchOffset = Math.max(this.fetchOffset, nextOffset);
    if (this.#batches.length === 0) this.position = this.fetchOffset;
  }

  /**
   * @returns the next message that is wanted, or `undefined` if there is none here now. A batch
   *   that is damaged is fetched again; if it stays so, that is the queue's problem. So is a
   *   message that was stored as something that nobody can decode, unless it is to be skipped.
   */
  take(): ConsumedMessage | undefined {
    for (;;) {
      const stored = this.#batches[0];
      if (stored === undefined) return undefined;
      let result: IteratorResult<BatchMessage>;
      try {
        this.#decoded ??= this.#decode(stored);
        result = this.#decoded.next();
      } catch (error) {
        if (!(error instanceof RecordError)) throw error;
        if (error.isDamage) this.#onDamaged(stored, error);
        else if (this.#undecodable.policy === "stop") this.#onStopped(stored, error);
        else {
          this.#onSkipped(stored, error);
          this.#finish(stored);
          continue;
        }
        return undefined;
      }
      if (result.done === true) {
        this.#finish(stored);
        continue;
      }
      const message = new ConsumedMessage(this.source, stored, result.value);
      this.position = message.offset + 1;
      // The broker looks at batches; a batch has messages of several tags.
      if (this.tags.length === 0 || (message.tag !== undefined && this.tags.includes(message.tag)))
        return message;
    }
  }

  #decode(stored: StoredBatch.$Properties): Iterator<BatchMessage> {
    const bytes = stored.batch ?? new Uint8Array();
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const from = Math.max(0, this.position - (stored.baseOffset ?? 0));
    if (this.#undecodable.policy === "stop") return batchMessages(view, from);
    return batchMessages(view, from, (error) => {
      this.#onSkipped(stored, error);
    });
  }

  #finish(stored: StoredBatch.$Properties): void {
    this.#decoded = undefined;
    this.#damagedCount = 0;
    this.#batches.shift();
    this.bufferedBytes -= stored.batch?.length ?? 0;
    // Also past what was not wanted.
    if (this.#batches.length === 0) this.position = Math.max(this.position, this.fetchOffset);
  }

  #onDamaged(stored: StoredBatch.$Properties, cause: RecordError): void {
    const { topic, queue } = this.source;
    const count = this.#damagedCount + 1;
    const { position } = this;
    this.seek(position);
    this.#damagedCount = count;
    if (count < DAMAGED_FETCHES_MAX) return;
    const where = `${topic}, queue ${queue}, offset ${stored.baseOffset ?? 0}`;
    this.problem = new OperationError("INVALID_BATCH", `${where}: ${cause.message}`, { cause });
  }

  #onStopped(stored: StoredBatch.$Properties, cause: RecordError): void {
    const told = this.#undecodableIn(stored, cause, false);
    this.seek(told.range.firstOffset);
    this.problem = told.error;
    this.#undecodable.onUndecodable?.(told);
  }

  #onSkipped(stored: StoredBatch.$Properties, cause: RecordError): void {
    this.#undecodable.onUndecodable?.(this.#undecodableIn(stored, cause, true));
  }

  #undecodableIn(
    stored: StoredBatch.$Properties,
    cause: RecordError,
    isSkipped: boolean,
  ): UndecodableMessages {
    const { topic, queue } = this.source;
    const baseOffset = stored.baseOffset ?? 0;
    const range =
      cause.number === undefined
        ? { firstOffset: Math.max(baseOffset, this.position), nextOffset: this.#endOf(stored) }
        : { firstOffset: baseOffset + cause.number, nextOffset: baseOffset + cause.number + 1 };
    const { group } = this.#undecodable;
    const error = undecodableError({ topic, queue, range, group, cause });
    return { queue: { topic, queue }, range, isSkipped, error };
  }

  /** What a batch of another version says of itself is not known here. */
  #endOf(stored: StoredBatch.$Properties): number {
    const next = this.#batches[this.#batches.indexOf(stored) + 1];
    return next?.baseOffset ?? this.fetchOffset;
  }

  #drop(): void {
    this.#batches.length = 0;
    this.#decoded = undefined;
    this.bufferedBytes = 0;
  }
}
