/**
 * Reads queues of any broker groups ahead of whoever takes their messages, within a bound of bytes.
 */

import { BROKER_SERVICE, OperationError } from "@quorumlog/protocol";
import type { ClusterLink } from "./cluster-link.ts";
import type { ConsumedMessage } from "./consumed-message.ts";
import type { FetchedQueue } from "./fetched-queue.ts";
import { GroupFetcher } from "./group-fetcher.ts";
import type { LeaderSeeker } from "./leader-seeker.ts";
import { Bell, type WaitOptions } from "./waiting.ts";

/** What is done about an offset that is not there any more, or not yet. */
export type ResetPolicy = "earliest" | "latest" | "fail";

/** A place in a queue. */
export type QueuePlace = number | "earliest" | "latest" | { readonly timestamp: number };

export interface FetcherInit {
  readonly link: ClusterLink;
  /** Of whoever has claimed queues; default: queues are read by anybody. */
  readonly consumerGroup?: string;
  /** Of all queues together. */
  readonly bytesMax: number;
  readonly onOutOfRange: ResetPolicy;
  /** A newer token was given out: see `GroupFetcher`. */
  readonly onFenced?: (queue: FetchedQueue) => void;
  /** Of a broker group: it cannot be read, and is asked again; `undefined`: it can. */
  readonly onTrouble?: (groupId: number, error: OperationError | undefined) => void;
  /** There may be something to take. */
  readonly onNews?: () => void;
}

const NOT_ASKED = -1;
const RANGE_RETRY_MS = 200;
/** Ahead of whoever takes them, of one queue: the fewer queues there are, the more of each. */
const QUEUE_BYTES_MIN = 1024 * 1024;
const QUEUE_BYTES_MAX = 4 * 1024 * 1024;
const FOLLOWER_RETRY_MS = 5_000;

export class Fetcher {
  /** Rings when there may be something to take. */
  readonly news: Bell = new Bell();
  readonly #init: FetcherInit;
  readonly #queues: FetchedQueue[] = [];
  /** Of leaders, by broker group. */
  readonly #groups = new Map<number, GroupFetcher>();
  /** Of followers, by node. */
  readonly #followers = new Map<number, GroupFetcher>();
  /** Since a follower of a broker group has failed: no other one is asked for a while. */
  readonly #failedAt = new Map<number, number>();
  readonly #seekers = new Map<number, LeaderSeeker>();
  readonly #stop = new AbortController();
  readonly #resets = new Set<Promise<void>>();
  /** Who is looked at first: each in turn. */
  #turn = 0;
  #isPaused = false;

  constructor(init: FetcherInit) {
    this.#init = init;
  }

  /** All that are read. */
  get queues(): readonly FetchedQueue[] {
    return this.#queues;
  }

  add(queue: FetchedQueue): void {
    this.#queues.push(queue);
    this.#group(queue.groupId).add(queue);
  }

  remove(queue: FetchedQueue): void {
    const at = this.#queues.indexOf(queue);
    if (at >= 0) this.#queues.splice(at, 1);
    this.#readerOf(queue).remove(queue);
    this.#wakeAll();
  }

  seek(queue: FetchedQueue, offset: number): void {
    queue.seek(offset);
    this.#wakeAll();
  }

  /** It may be asked for again, where it is. */
  release(queue: FetchedQueue): void {
    queue.isAsked = false;
    this.#wakeAll();
  }

  pause(queue: FetchedQueue, isPaused: boolean): void {
    queue.isPaused = isPaused;
    this.#readerOf(queue).schedule();
    this.#tell();
  }

  /** Nothing more is asked for; what is asked for already may come. */
  set isPaused(isPaused: boolean) {
    this.#isPaused = isPaused;
    if (!isPaused) this.#wakeAll();
  }

  /** Something of it was taken: there may be room for more. */
  refill(queue: FetchedQueue): void {
    this.#readerOf(queue).schedule();
  }

  /**
   * @returns the next messages, of queues in turn; none if there are none now.
   * @throws OperationError of a queue that cannot be read on, once nothing else is left
   */
  take(countMax: number): ConsumedMessage[] {
    const messages: ConsumedMessage[] = [];
    let problem: OperationError | undefined;
    const count = this.#queues.length;
    this.#turn += 1;
    for (let i = 0; i < count && messages.length < countMax; i++) {
      const queue = this.#queues[(i + this.#turn) % count] as FetchedQueue;
      if (queue.isPaused) continue;
      while (messages.length < countMax) {
        const message = queue.take();
        if (message === undefined) break;
        messages.push(message);
      }
      problem ??= queue.problem;
      this.#readerOf(queue).schedule();
    }
    if (messages.length === 0 && problem !== undefined) throw problem;
    return messages;
  }

  /** @throws OperationError of a broker that cannot be asked in time */
  async offsetOf(queue: FetchedQueue, place: QueuePlace, wait: WaitOptions = {}): Promise<number> {
    if (typeof place === "number") return place;
    const time = typeof place === "object" ? place.timestamp : NOT_ASKED;
    const range = await this.#range(queue, time, wait);
    if (typeof place === "object") return range.offsetAtTime;
    return place === "earliest" ? range.firstOffset : range.endOffset;
  }

  seeker(groupId: number): LeaderSeeker {
    let seeker = this.#seekers.get(groupId);
    if (seeker === undefined) {
      seeker = this.#init.link.seeker(groupId);
      this.#seekers.set(groupId, seeker);
    }
    return seeker;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort();
    for (const reader of this.#readers()) reader.close();
    this.news.ring();
    await Promise.all(this.#resets);
  }

  #range(
    { groupId, source }: FetchedQueue,
    storeTimestampMs: number,
    wait: WaitOptions,
  ): Promise<{ firstOffset: number; endOffset: number; offsetAtTime: number }> {
    return this.#init.link.callLeader(
      { seeker: this.seeker(groupId), isRepeatable: true, ...wait },
      BROKER_SERVICE.queryOffsets,
      { topicId: source.topicId, queue: source.queue, storeTimestampMs },
    );
  }

  #group(groupId: number): GroupFetcher {
    let group = this.#groups.get(groupId);
    if (group === undefined) {
      group = this.#open(groupId);
      this.#groups.set(groupId, group);
    }
    return group;
  }

  #open(groupId: number, follower?: string): GroupFetcher {
    return new GroupFetcher({
      groupId,
      link: this.#init.link,
      consumerGroup: this.#init.consumerGroup ?? "",
      room: () => this.#room(),
      queueBytesMax: () => this.#queueBytesMax(),
      isPaused: () => this.#isPaused,
      ...(follower === undefined ? {} : { follower }),
      onTrouble: (error) => {
        this.#init.onTrouble?.(groupId, error);
      },
      onNews: () => {
        this.#tell();
      },
      ...(this.#init.onFenced === undefined ? {} : { onFenced: this.#init.onFenced }),
      onOutOfRange: (queue, error) => {
        const reset = this.#reset(queue, error).finally(() => this.#resets.delete(reset));
        this.#resets.add(reset);
      },
      onSuggestion: (queue, nodeId, untilOffset) => {
        this.#follow(queue, nodeId, untilOffset);
      },
      onLeave: (queue, isFailed) => {
        this.#leaveFollower(queue, isFailed);
      },
    });
  }

  *#readers(): Generator<GroupFetcher> {
    yield* this.#groups.values();
    yield* this.#followers.values();
  }

  #readerOf({ groupId, followedNodeId }: FetchedQueue): GroupFetcher {
    return this.#followers.get(followedNodeId) ?? this.#group(groupId);
  }

  /** Far from its end it is read where there is less to do, unless that has just failed. */
  #follow(queue: FetchedQueue, nodeId: number, untilOffset: number): void {
    const { groupId } = queue;
    if (queue.fetchOffset >= untilOffset) return;
    if (performance.now() - (this.#failedAt.get(groupId) ?? -Infinity) < FOLLOWER_RETRY_MS) return;
    const address = this.#init.link.routes.route.groups.get(groupId)?.addresses.get(nodeId);
    if (address === undefined) return;
    let follower = this.#followers.get(nodeId);
    if (follower === undefined) {
      follower = this.#open(groupId, address);
      this.#followers.set(nodeId, follower);
    }
    this.#group(groupId).remove(queue);
    queue.followedNodeId = nodeId;
    queue.followedUntil = untilOffset;
    follower.add(queue);
  }

  #leaveFollower(queue: FetchedQueue, isFailed: boolean): void {
    const { groupId, followedNodeId } = queue;
    if (isFailed) this.#failedAt.set(groupId, performance.now());
    const follower = this.#followers.get(followedNodeId);
    queue.followedNodeId = 0;
    follower?.remove(queue);
    if (follower?.isIdle === true) {
      follower.close();
      this.#followers.delete(followedNodeId);
    }
    this.#group(groupId).add(queue);
  }

  /** What several fetches have under way comes to no more than what may be there, or 1 MiB each. */
  #queueBytesMax(): number {
    const share = this.#init.bytesMax / Math.max(1, this.#queues.length);
    return Math.min(Math.max(share, QUEUE_BYTES_MIN), QUEUE_BYTES_MAX);
  }

  #room(): number {
    let bytes = 0;
    for (const queue of this.#queues) bytes += queue.bufferedBytes;
    return this.#init.bytesMax - bytes;
  }

  /** A node that is behind says so, too: the leader decides whether the offset is there. */
  async #reset(queue: FetchedQueue, error: OperationError): Promise<void> {
    const { version, fetchOffset } = queue;
    const { onOutOfRange } = this.#init;
    try {
      const range = await this.#range(queue, NOT_ASKED, { signal: this.#stop.signal });
      if (queue.version !== version) return;
      const { firstOffset, endOffset } = range;
      queue.isAsked = false;
      if (fetchOffset >= firstOffset && fetchOffset <= endOffset)
        queue.askAgainAt = performance.now() + RANGE_RETRY_MS;
      else if (onOutOfRange === "fail")
        queue.problem = new OperationError("OFFSET_OUT_OF_RANGE", error.message, {
          range: { firstOffset, nextOffset: endOffset },
          cause: error,
        });
      // What was fetched before is taken first.
      else if (!queue.hasBatches) queue.seek(onOutOfRange === "earliest" ? firstOffset : endOffset);
      else queue.askAgainAt = performance.now() + RANGE_RETRY_MS;
    } catch (failure) {
      if (!(failure instanceof OperationError)) throw failure;
      if (queue.version !== version) return;
      queue.isAsked = false;
      queue.askAgainAt = performance.now() + RANGE_RETRY_MS;
    }
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const reader of this.#readers()) reader.schedule();
    this.#tell();
  }

  #tell(): void {
    this.news.ring();
    this.#init.onNews?.();
  }
}
