/**
 * Sends the batches of one broker group to its leader: containers of batches of many queues, a few
 * of them under way at a time, and again what was not answered.
 *
 * A container leaves at the end of a turn of the event loop, or after a linger, while fewer than
 * two are under way; after that it waits for half a full one. And few are under way at a time, as
 * what waits goes on to fill its batches. So a lone message waits for nobody, and under load
 * containers and batches are large.
 */

import {
  BROKER_SERVICE,
  CONTAINER_BATCHES_MAX,
  operationError,
  OperationError,
} from "@quorumlog/protocol";
import type { PublishReply, PublishRequest } from "@quorumlog/protocol/messages";
import type { ClusterLink } from "./cluster-link.ts";
import type { LeaderSeeker } from "./leader-seeker.ts";
import type { OutgoingBatch } from "./outgoing-batch.ts";
import { finalError } from "./publish-outcome.ts";
import { nothingTold, type ProducerIdentity, type ToldTopics } from "./producer-identity.ts";
import type { QueueOutbox } from "./queue-outbox.ts";
import { RpcStream } from "./rpc-stream.ts";
import type { SendCall } from "./send-call.ts";
import { type Durability, reachedOf, WIRE_DURABILITY } from "./send-receipt.ts";
import { asUnknown } from "./unknown-outcome.ts";

export interface GroupSenderInit {
  readonly groupId: number;
  readonly link: ClusterLink;
  readonly identity: ProducerIdentity;
  readonly lingerMs: number;
  readonly batchBytesMax: number;
  /** Before each call is settled. */
  readonly onSettled: (call: SendCall) => void;
}

type PublishStream = RpcStream<PublishRequest.$Properties, PublishReply>;

interface Container {
  readonly batches: readonly OutgoingBatch[];
  readonly durability: Durability;
  /** By `performance.now()`. */
  readonly sentAt: number;
}

/** With fewer under way, a container leaves however small it is. */
const EAGER_COUNT = 2;
/** What one costs beside its bytes is spread over so many of them; a batch may be larger. */
const CONTAINER_BYTES = 1024 * 1024;
/** Of what waits: as much is worth one. */
const WORTH_BYTES = CONTAINER_BYTES / 2;
/** Enough for a leader to have always one at hand; what waits behind them are not more batches. */
const UNDER_WAY_MAX = 4;
const BACKOFF_MS_MIN = 5;
const BACKOFF_MS_MAX = 100;
/**
 * What a broker says that has not heard of the newest metadata, and for how long it may be so far
 * behind what routes tell: a group that has just elected a leader for longer than one that serves.
 */
const LATE_NEWS_MS: ReadonlyMap<string, number> = new Map([
  ["UNKNOWN_TOPIC", 10_000],
  ["UNKNOWN_QUEUE", 10_000],
  ["TOPIC_NOT_WRITABLE", 1_000],
]);
/** Slower than that, and new batches without a message group go elsewhere if they can. */
const SLOW_MS = 300;
const LATENCY_SHARE = 0.2;
/** What is remembered of a slow broker that is given nothing any more. */
const SLOW_MEMORY_MS = 2_000;

export class GroupSender {
  readonly #init: GroupSenderInit;
  readonly #seeker: LeaderSeeker;
  readonly #endRoutes: () => void;
  readonly #underWay = new Map<number, Container>();
  /** Outboxes that may have something to send, each once. */
  readonly #outboxes: QueueOutbox[] = [];
  #waitingBytes = 0;
  #requestId = 0;
  #stream: PublishStream | undefined;
  /** What the stream has heard of who publishes. */
  #told: ToldTopics = nothingTold();
  #endOfTurn: NodeJS.Immediate | undefined;
  #linger: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #backoffMs = 0;
  #latencyMs = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #lastProblem: { readonly error: OperationError; readonly by: string } | undefined;
  #isClosed = false;

  constructor(init: GroupSenderInit) {
    this.#init = init;
    this.#seeker = init.link.seeker(init.groupId);
    this.#endRoutes = init.link.routes.onChange(() => {
      this.#onRoute();
    });
  }

  /** What has kept it from sending, of late, and whose word that is, if it is anybody's. */
  get lastProblem(): { readonly error: OperationError; readonly by: string } | undefined {
    return this.#lastProblem;
  }

  /** Of all batches that wait to be sent, the first time or again. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** @param now - By `performance.now()`. */
  isSlow(now: number): boolean {
    if (this.#retry !== undefined) return true;
    for (const { sentAt } of this.#underWay.values()) {
      // The first one is the oldest.
      if (now - sentAt > SLOW_MS) return true;
      break;
    }
    return this.#latencyMs > SLOW_MS && now - this.#answeredAt < SLOW_MEMORY_MS;
  }

  add(outbox: QueueOutbox, call: SendCall): void {
    outbox.add(call);
    this.#waitingBytes += call.bytes;
    this.#list(outbox);
    if (this.#waitingBytes >= WORTH_BYTES) this.#dispatch(false);
    else this.#schedule();
  }

  /** A call is settled before its batch was answered: it, or with the last one its batch, goes. */
  leave(call: SendCall, batch: OutgoingBatch): void {
    const { outbox } = batch;
    const before = waitingBytesOf(batch);
    if (batch.encoded === undefined) outbox.drop(batch, call);
    batch.liveCount -= 1;
    if (batch.liveCount === 0) outbox.giveUp(batch);
    this.#waitingBytes += waitingBytesOf(batch) - before;
    if (batch.liveCount > 0) return;
    this.#list(outbox);
    this.#schedule();
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#endRoutes();
    clearImmediate(this.#endOfTurn);
    clearTimeout(this.#linger);
    clearTimeout(this.#retry);
    this.#stream?.cancel();
    this.#underWay.clear();
  }

  #list(outbox: QueueOutbox): void {
    if (outbox.isListed) return;
    outbox.isListed = true;
    this.#outboxes.push(outbox);
  }

  /** Whatever is there leaves at the end of the turn, or after the linger. */
  #schedule(): void {
    const { lingerMs } = this.#init;
    if (lingerMs === 0) {
      this.#endOfTurn ??= setImmediate(() => {
        this.#endOfTurn = undefined;
        this.#dispatch(true);
      });
    } else {
      this.#linger ??= setTimeout(() => {
        this.#linger = undefined;
        this.#dispatch(true);
      }, lingerMs);
    }
  }

  /** @param isTime - Also what is less than a full container. */
  #dispatch(isTime: boolean): void {
    while (this.#outboxes.length > 0 && this.#retry === undefined && !this.#isClosed) {
      const isEager = isTime && this.#underWay.size < EAGER_COUNT;
      if (!isEager && this.#waitingBytes < WORTH_BYTES) return;
      if (this.#underWay.size >= UNDER_WAY_MAX) return;
      const stream = this.#openStream();
      if (stream === undefined || stream.isBlocked) return;
      const batches = this.#takeContainer();
      if (batches.length === 0) return;
      this.#send(stream, batches);
    }
  }

  #takeContainer(): OutgoingBatch[] {
    const containerBytesMax = Math.max(CONTAINER_BYTES, this.#init.batchBytesMax);
    const batches: OutgoingBatch[] = [];
    let bytes = 0;
    for (let left = this.#outboxes.length; left > 0; left--) {
      if (batches.length === CONTAINER_BATCHES_MAX) break;
      const outbox = this.#outboxes[0] as QueueOutbox;
      const batch = outbox.next();
      const [first] = batches;
      if (batch !== undefined && first !== undefined) {
        if (bytes + batch.bytes > containerBytesMax) break;
        if (batch.durability !== first.durability || batch.isAlone || first.isAlone) break;
      }
      this.#outboxes.shift();
      outbox.isListed = false;
      if (batch === undefined) continue;
      batches.push(batch);
      bytes += batch.bytes;
      // Of which a part may become a batch of its own, and stay.
      outbox.send(batch);
      this.#waitingBytes -= batch.bytes;
      // There may be more; and if not, it costs a look.
      this.#list(outbox);
    }
    return batches;
  }

  #send(stream: PublishStream, batches: readonly OutgoingBatch[]): void {
    const { durability } = batches[0] as OutgoingBatch;
    const now = performance.now();
    const deadline = Math.max(...batches.map((batch) => batch.deadline));
    this.#requestId += 1;
    this.#underWay.set(this.#requestId, { batches, durability, sentAt: now });
    const request: PublishRequest.$Properties = {
      requestId: this.#requestId,
      durability: WIRE_DURABILITY[durability],
      timeoutMs: Math.max(1, Math.ceil(deadline - now)),
      batches: batches.map(({ encoded }) => encoded as Buffer),
    };
    const notice = this.#init.identity.noticeFor(this.#told);
    if (notice !== undefined) request.producer = notice;
    stream.send(request);
  }

  #openStream(): PublishStream | undefined {
    if (this.#stream !== undefined) return this.#stream;
    const address = this.#seeker.address();
    if (address === undefined) {
      this.#backOff(
        new OperationError("UNAVAILABLE", `broker group ${this.#init.groupId} is not known`, {
          outcome: "not-applied",
        }),
      );
      return undefined;
    }
    const channel = this.#init.link.channel(address);
    this.#told = nothingTold();
    this.#stream = new RpcStream(channel, BROKER_SERVICE.publish, {
      onAnswer: (reply) => {
        this.#onReply(reply);
      },
      onBroken: (error) => {
        this.#onBroken(address, error);
      },
      onDrain: () => {
        this.#schedule();
      },
    });
    return this.#stream;
  }

  #onReply(reply: PublishReply): void {
    const container = this.#underWay.get(reply.requestId);
    if (container === undefined) return;
    this.#underWay.delete(reply.requestId);
    this.#measure(container);
    const refusal = reply.error ?? undefined;
    if (refusal === undefined) {
      this.#backoffMs = 0;
      if (this.#stream !== undefined) this.#seeker.succeeded(this.#stream.address, reply.term);
      this.#onResults(container, reply);
    } else {
      const error = operationError(refusal);
      for (const batch of container.batches)
        this.#refuse(batch, error, container.batches.length > 1);
      const isAgain = container.batches.length === 1 && container.batches[0]?.state === "waiting";
      if (error.advice !== "do-not-retry" || isAgain) this.#onProblem(error);
    }
    this.#schedule();
  }

  #onResults({ batches, durability }: Container, reply: PublishReply): void {
    const reached = reachedOf(reply.reached);
    for (const [i, batch] of batches.entries()) {
      const result = reply.results[i];
      const refusal = result?.error ?? undefined;
      if (refusal !== undefined) {
        const error = operationError(refusal);
        this.#refuse(batch, error, false);
        if (batch.state === "waiting" && !isGap(error)) this.#onProblem(error);
        continue;
      }
      // Its calls were settled before.
      if (batch.state === "done") continue;
      const { outbox } = batch;
      outbox.finish(batch);
      outbox.letGo(batch);
      if (!outbox.isIdle) this.#list(outbox);
      // Below `quorum` it only says who was refused.
      const isDecided = durability === "quorum";
      if (result === undefined && isDecided) {
        this.#fail(batch, new OperationError("FAILED", "the broker has left out its result"));
        continue;
      }
      batch.succeed(
        {
          topic: outbox.topic.name,
          topicId: outbox.topic.topicId,
          queue: outbox.queue,
          reached,
          baseOffset: isDecided ? (result?.baseOffset ?? 0) : undefined,
          storeTimestamp: isDecided ? (result?.storeTimestampMs ?? 0) : undefined,
          isDuplicate: result?.isDuplicate ?? false,
        },
        this.#init.onSettled,
      );
    }
  }

  #refuse(batch: OutgoingBatch, error: OperationError, isShared: boolean): void {
    if (batch.state !== "under-way") return;
    const { outbox } = batch;
    let failure: OperationError | undefined;
    if (isGap(error) && batch.producerId !== 0 && !isShared)
      failure = outbox.onGap(batch) ? undefined : asUnknown(error);
    else if (isShared || !this.#isTooNew(batch, error))
      failure = finalError(batch, error, isShared);
    if (failure === undefined) {
      outbox.putBack(batch);
      this.#waitingBytes += batch.bytes;
    } else {
      outbox.giveUp(batch);
      this.#fail(batch, failure);
    }
    this.#list(outbox);
  }

  /**
   * The broker has not heard of the topic yet, or of its queue, or that it may be written to:
   * routes may come round first. Or it has heard more than the routes, which nobody renews while
   * all NameServers are down: then it is right, once it has said so of an attempt that was begun
   * after it knew as much.
   */
  #isTooNew(batch: OutgoingBatch, { code, metadataVersion }: OperationError): boolean {
    const patienceMs = LATE_NEWS_MS.get(code);
    if (patienceMs === undefined) return false;
    const { route } = this.#init.link.routes;
    const isBelieved = batch.refusedByVersion >= route.metadataVersion;
    batch.refusedByVersion = metadataVersion === 0 ? -1 : metadataVersion;
    if (isBelieved) return false;
    const { topic, queue, groupId } = batch.outbox;
    const known = route.topicOfId(topic.topicId);
    const since = batch.calls[0]?.startedAt ?? Number.NEGATIVE_INFINITY;
    const isSo = known?.groupIds[queue] === groupId && known.isWritable;
    return isSo && performance.now() - since < patienceMs;
  }

  #fail(batch: OutgoingBatch, error: OperationError): void {
    batch.fail(error, this.#init.onSettled);
  }

  #onBroken(address: string, error: OperationError): void {
    this.#stream = undefined;
    this.#seeker.failed(address, error);
    this.#abandon(error);
    this.#backOff(error, address);
  }

  /** Nothing under way is answered any more. */
  #abandon(error: OperationError): void {
    const containers = [...this.#underWay.values()];
    this.#underWay.clear();
    for (const { batches } of containers)
      for (const batch of batches) this.#refuse(batch, error, false);
  }

  /** Of a whole container, on a stream that is well. */
  #onProblem(error: OperationError): void {
    const address = this.#stream?.address;
    if (error.advice === "retry-elsewhere") {
      if (address !== undefined) this.#seeker.failed(address, error);
      if (this.#seeker.address() !== address) this.#leaveStream(error);
      // Told where to go: at once, if that was not tried just before.
      if (error.leader !== undefined && this.#backoffMs === 0) {
        this.#backoffMs = BACKOFF_MS_MIN;
        return;
      }
    }
    this.#backOff(error, address);
  }

  /** Another node leads, as far as is known. */
  #onRoute(): void {
    const address = this.#seeker.address();
    if (this.#stream !== undefined && address !== undefined && this.#stream.address !== address)
      this.#leaveStream(new OperationError("LEADERSHIP_LOST", `${address} leads by now`));
    if (this.#retry !== undefined) this.#endBackOff();
    if (this.#outboxes.length > 0) this.#schedule();
  }

  #leaveStream(error: OperationError): void {
    this.#stream?.cancel();
    this.#stream = undefined;
    const unknown = new OperationError("LEADERSHIP_LOST", error.message, { cause: error });
    this.#abandon(unknown);
  }

  /** @param address - Whose word it is. */
  #backOff(error: OperationError, address?: string): void {
    this.#lastProblem = { error, by: address === undefined ? "" : `, by ${address}` };
    if (this.#isClosed || this.#retry !== undefined) return;
    this.#backoffMs = Math.min(Math.max(BACKOFF_MS_MIN, 2 * this.#backoffMs), BACKOFF_MS_MAX);
    this.#retry = setTimeout(
      () => {
        this.#endBackOff();
      },
      Math.max(this.#backoffMs, error.retryAfterMs),
    );
  }

  #endBackOff(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#dispatch(true);
  }

  #measure({ sentAt }: Container): void {
    this.#answeredAt = performance.now();
    const tookMs = this.#answeredAt - sentAt;
    this.#latencyMs += LATENCY_SHARE * (tookMs - this.#latencyMs);
  }
}

/** What it counts for among those that wait to be sent. */
function waitingBytesOf({ state, bytes }: OutgoingBatch): number {
  return state === "waiting" ? bytes : 0;
}

/** It is not about the batch, but about those before it. */
function isGap({ code }: OperationError): boolean {
  return code === "SEQUENCE_GAP" || code === "UNKNOWN_PRODUCER";
}
