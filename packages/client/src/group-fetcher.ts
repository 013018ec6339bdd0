/**
 * Reads queues of one broker group from one of its nodes: each is in at most one fetch at a time,
 * which the broker answers when there is something to read. That node is the leader; or a follower,
 * for queues of which the leader has said so, until they are near their ends.
 */

import { BROKER_SERVICE, operationError, OperationError } from "@quorumlog/protocol";
import type { FetchReply, FetchRequest, QueueBatches } from "@quorumlog/protocol/messages";
import type { ClusterLink } from "./cluster-link.ts";
import type { FetchedQueue } from "./fetched-queue.ts";
import type { LeaderSeeker } from "./leader-seeker.ts";
import { RpcStream } from "./rpc-stream.ts";

export interface GroupFetcherInit {
  readonly groupId: number;
  readonly link: ClusterLink;
  /** Whose fencing tokens the queues have. */
  readonly consumerGroup: string;
  /** @returns how many bytes may be fetched in all. */
  readonly room: () => number;
  /** @returns how many bytes may be ahead of whoever takes them, of one queue. */
  readonly queueBytesMax: () => number;
  /** Nothing is asked for while it is; whoever ends that schedules. */
  readonly isPaused: () => boolean;
  /** A follower, as `host:port`; default: whoever leads is asked. */
  readonly follower?: string;
  /** It failed, and is tried again; `undefined`: not any more. */
  readonly onTrouble: (error: OperationError | undefined) => void;
  /** Something can be taken, or will never be. */
  readonly onNews: () => void;
  /** The leader says who has less to do, and has the queue up to an offset at least. */
  readonly onSuggestion: (queue: FetchedQueue, nodeId: number, untilOffset: number) => void;
  /** The follower has no more of it than the leader; or it does not answer as it should. */
  readonly onLeave: (queue: FetchedQueue, isFailed: boolean) => void;
  /**
   * A broker does not have what is asked for; `queue` is not asked for again before it is sought.
   */
  readonly onOutOfRange: (queue: FetchedQueue, error: OperationError) => void;
  /**
   * A newer token was given out; the queue is not asked for again before it is sought, or let go.
   * Default: it is the queue's problem.
   */
  readonly onFenced?: (queue: FetchedQueue) => void;
}

interface Asked {
  readonly queue: FetchedQueue;
  readonly version: number;
}

const WAIT_MS = 15_000;
const BYTES_MAX = 4 * 1024 * 1024;
/** Of what may be ahead of one queue: with less room, the next fetch is not worth its way. */
const WORTH_SHARE = 1 / 4;
const BACKOFF_MS_MIN = 5;
const BACKOFF_MS_MAX = 200;
/** What one queue was refused, and not the others. */
const QUEUE_RETRY_MS = 100;
/** Not only for a moment. */
const STANDING: ReadonlySet<string> = new Set(["TOPIC_NOT_READABLE", "STALE_FENCING_TOKEN"]);
const TOLD: ReadonlySet<string> = new Set([...STANDING, "OFFSET_OUT_OF_RANGE"]);
/** Somebody may let the topic be read again. */
const UNREADABLE_MS = 1_000;

export class GroupFetcher {
  readonly #init: GroupFetcherInit;
  readonly #seeker: LeaderSeeker;
  readonly #queues = new Set<FetchedQueue>();
  readonly #asked = new Map<number, readonly Asked[]>();
  readonly #endRoutes: () => void;
  #requestId = 0;
  #stream: RpcStream<FetchRequest.$Properties, FetchReply> | undefined;
  #endOfTurn: NodeJS.Immediate | undefined;
  #retry: NodeJS.Timeout | undefined;
  #later: NodeJS.Timeout | undefined;
  #backoffMs = 0;
  #isClosed = false;

  constructor(init: GroupFetcherInit) {
    this.#init = init;
    this.#seeker = init.link.seeker(init.groupId);
    this.#endRoutes = init.link.routes.onChange(() => {
      this.#onRoute();
    });
  }

  get isIdle(): boolean {
    return this.#queues.size === 0;
  }

  add(queue: FetchedQueue): void {
    this.#queues.add(queue);
    this.schedule();
  }

  remove(queue: FetchedQueue): void {
    queue.version += 1;
    this.#queues.delete(queue);
  }

  /** There may be a queue that has room, by the end of the turn. */
  schedule(): void {
    if (this.#retry !== undefined || this.#isClosed) return;
    this.#endOfTurn ??= setImmediate(() => {
      this.#endOfTurn = undefined;
      this.#ask();
    });
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#endRoutes();
    clearImmediate(this.#endOfTurn);
    clearTimeout(this.#retry);
    clearTimeout(this.#later);
    this.#stream?.cancel();
  }

  #ask(): void {
    if (this.#isClosed || this.#retry !== undefined || this.#init.isPaused()) return;
    const now = performance.now();
    const asked: Asked[] = [];
    const positions: NonNullable<FetchRequest.$Properties["positions"]> = [];
    const room = this.#init.room();
    const queueBytesMax = this.#init.queueBytesMax();
    let againAt = Number.POSITIVE_INFINITY;
    for (const queue of this.#queues) {
      if (queue.isAsked || queue.isPaused || !mayAsk(queue.problem)) continue;
      // With nothing of it here it is asked for, whatever the others have; one batch, then.
      const own = Math.min(room, queueBytesMax - queue.bufferedBytes);
      if (own < queueBytesMax * WORTH_SHARE && queue.hasBatches) continue;
      if (queue.askAgainAt > now) {
        againAt = Math.min(againAt, queue.askAgainAt);
        continue;
      }
      const { topicId, queue: number } = queue.source;
      const tags = [...queue.tags];
      positions.push({
        topicId,
        queue: number,
        offset: queue.fetchOffset,
        tags,
        bytesMax: Math.max(own, 1),
        fencingToken: queue.fencingToken ?? null,
      });
      asked.push({ queue, version: queue.version });
    }
    if (againAt < Number.POSITIVE_INFINITY) this.#askLater(againAt - now);
    if (positions.length === 0) return;
    const stream = this.#openStream();
    if (stream === undefined) return;
    this.#requestId += 1;
    const requestId = this.#requestId;
    this.#asked.set(requestId, asked);
    for (const { queue } of asked) queue.isAsked = true;
    const bytesMax = Math.max(1, Math.min(room, BYTES_MAX));
    const { consumerGroup } = this.#init;
    // After a failure an answer is wanted at once, also without anything new: it is over, then.
    const mayWait = this.#init.follower === undefined && this.#backoffMs === 0;
    const waitMs = mayWait ? WAIT_MS : 0;
    stream.send({ requestId, positions, bytesMax, waitMs, consumerGroup });
  }

  /** Of some queues; the others do not wait. */
  #askLater(ms: number): void {
    this.#later ??= setTimeout(() => {
      this.#later = undefined;
      this.schedule();
    }, ms);
  }

  #openStream(): RpcStream<FetchRequest.$Properties, FetchReply> | undefined {
    if (this.#stream !== undefined) return this.#stream;
    const address = this.#init.follower ?? this.#seeker.address();
    if (address === undefined) {
      const message = `broker group ${this.#init.groupId} is not known`;
      this.#init.onTrouble(new OperationError("UNAVAILABLE", message));
      this.#backOff();
      return undefined;
    }
    this.#stream = new RpcStream(this.#init.link.channel(address), BROKER_SERVICE.fetch, {
      onAnswer: (reply) => {
        this.#onReply(address, reply);
      },
      onBroken: (error) => {
        this.#stream = undefined;
        this.#forgetAsked();
        this.#onFailed(address, error);
      },
    });
    return this.#stream;
  }

  #onReply(address: string, reply: FetchReply): void {
    const asked = this.#asked.get(reply.requestId);
    if (asked === undefined) return;
    this.#asked.delete(reply.requestId);
    for (const { queue, version } of asked) if (queue.version === version) queue.isAsked = false;
    const error = reply.error ?? undefined;
    if (error !== undefined) {
      this.#leaveStream();
      this.#onFailed(address, operationError(error));
      return;
    }
    this.#backoffMs = 0;
    this.#init.onTrouble(refusalIn(reply));
    if (this.#init.follower === undefined) this.#onLeaderReply(asked, reply);
    else this.#onFollowerReply(asked, reply);
    this.#init.onNews();
    this.schedule();
  }

  #onLeaderReply(asked: readonly Asked[], reply: FetchReply): void {
    for (const told of reply.queues) {
      const place = asked.find((each) => isAbout(each, told));
      if (place === undefined) continue;
      const { queue } = place;
      this.#onQueue(queue, told);
      const nodeId = told.suggestedNodeId ?? 0;
      if (nodeId > 0) this.#init.onSuggestion(queue, nodeId, told.suggestedUntilOffset ?? 0);
    }
  }

  #onFollowerReply(asked: readonly Asked[], reply: FetchReply): void {
    for (const place of asked) {
      const { queue, version } = place;
      if (queue.version !== version) continue;
      const told = reply.queues.find((each) => isAbout(place, each));
      // What it refuses the leader may know better about; and it may be behind.
      const isFailed = told === undefined || (told.error !== undefined && told.error !== null);
      if (!isFailed) this.#onQueue(queue, told);
      if (isFailed || queue.fetchOffset >= queue.followedUntil) this.#init.onLeave(queue, isFailed);
    }
  }

  #onQueue(queue: FetchedQueue, told: QueueBatches.$Properties): void {
    const refusal = told.error ?? undefined;
    if (refusal !== undefined) {
      const error = operationError(refusal);
      if (error.code === "OFFSET_OUT_OF_RANGE") {
        queue.isAsked = true;
        this.#init.onOutOfRange(queue, error);
        return;
      }
      if (error.code === "STALE_FENCING_TOKEN" && this.#init.onFenced !== undefined) {
        queue.isAsked = true;
        this.#init.onFenced(queue);
        return;
      }
      if (STANDING.has(error.code) || this.#isGone(queue)) queue.problem = error;
      // A new topic, or a leader that has just begun: not everybody knows everything at once.
      const waitMs = queue.problem === undefined ? QUEUE_RETRY_MS : UNREADABLE_MS;
      queue.askAgainAt = performance.now() + Math.max(waitMs, error.retryAfterMs);
      return;
    }
    queue.problem = undefined;
    queue.endOffset = told.endOffset ?? 0;
    queue.put(told.batches ?? [], told.nextOffset ?? 0);
  }

  /** Its topic was deleted, and that has come round. */
  #isGone({ source }: FetchedQueue): boolean {
    const topic = this.#init.link.routes.route.topicOfId(source.topicId);
    return topic?.groupIds[source.queue] === undefined;
  }

  #onFailed(address: string, error: OperationError): void {
    if (this.#init.follower === undefined) {
      this.#seeker.failed(address, error);
      // Whoever was told where to go is on the way.
      if (error.leader === undefined) this.#init.onTrouble(error);
      this.#backOff();
    } else for (const queue of this.#queues) this.#init.onLeave(queue, true);
  }

  /** The one that was asked leads no more: it may never hear of anything new. */
  #onRoute(): void {
    const address = this.#seeker.address();
    if (this.#init.follower !== undefined || this.#stream === undefined) return;
    if (address === undefined || address === this.#stream.address) return;
    this.#leaveStream();
    this.schedule();
  }

  #leaveStream(): void {
    this.#stream?.cancel();
    this.#stream = undefined;
    this.#forgetAsked();
  }

  #forgetAsked(): void {
    for (const asked of this.#asked.values())
      for (const { queue, version } of asked) if (queue.version === version) queue.isAsked = false;
    this.#asked.clear();
  }

  #backOff(): void {
    if (this.#isClosed) return;
    this.#backoffMs = Math.min(Math.max(BACKOFF_MS_MIN, 2 * this.#backoffMs), BACKOFF_MS_MAX);
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.schedule();
    }, this.#backoffMs);
  }
}

function isAbout({ queue, version }: Asked, told: QueueBatches.$Properties): boolean {
  const { topicId, queue: number } = queue.source;
  if (version !== queue.version) return false;
  return topicId === (told.topicId ?? 0) && number === (told.queue ?? 0);
}

/** Of what is asked again in silence: all else is somebody's problem, who tells of it. */
function refusalIn({ queues }: FetchReply): OperationError | undefined {
  for (const { error } of queues) {
    const refusal = error ? operationError(error) : undefined;
    if (refusal !== undefined && !TOLD.has(refusal.code)) return refusal;
  }
  return undefined;
}

/** What may pass by itself is tried again. */
function mayAsk(problem: OperationError | undefined): boolean {
  return problem === undefined || problem.code === "TOPIC_NOT_READABLE";
}
