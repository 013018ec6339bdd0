/**
 * Answers fetches: at once if there is something to read, else when something comes, or in time.
 */

import { endWith, errorDetail, type Handler, OperationError } from "@quorumlog/protocol";
import type { FetchReply, FetchRequest } from "@quorumlog/protocol/messages";
import type { BrokerGroup } from "../broker-group.ts";
import type { BrokerSettings } from "../broker-options.ts";
import type { BrokerTraffic } from "../broker-traffic.ts";
import type { QueueKey } from "../state/queue-key.ts";
import { FetchCollector } from "./fetch-collector.ts";
import { FollowerReads } from "./follower-reads.ts";

type FetchCall = Parameters<
  Extract<Handler<FetchRequest, FetchReply.$Properties>, { duplex: unknown }>["duplex"]
>[0];

const POSITIONS_MAX = 16_384;
const TAGS_MAX = 100;
const WAIT_MS_MAX = 60_000;
/** Of one stream. */
const WAITING_MAX = 1_024;
/** Of all of them together. */
const WAITING_POSITIONS_MAX = 65_536;
/** Of a stream's answers that its client has not read: beyond, it gets none, and is not read. */
const UNREAD_BYTES_MAX = 8 * 1024 * 1024;
/** About, of an answer beside its batches. */
const ANSWER_BYTES = 256;

/** A fetch that found nothing yet. */
interface ParkedFetch {
  readonly stream: FetchStream;
  readonly request: FetchRequest;
  readonly keys: readonly QueueKey[];
  readonly timer: NodeJS.Timeout;
}

export class FetchService {
  readonly #collector: FetchCollector;
  readonly #traffic: BrokerTraffic;
  readonly #parked = new Map<QueueKey, Set<ParkedFetch>>();
  readonly #woken = new Set<ParkedFetch>();

  constructor(group: BrokerGroup, settings: BrokerSettings) {
    this.#traffic = group.traffic;
    this.#collector = new FetchCollector(group, new FollowerReads(group, settings));
  }

  handler(): Handler<FetchRequest, FetchReply.$Properties> {
    return {
      duplex: (call) => {
        new FetchStream(this, call).start();
      },
    };
  }

  /** These queues have more: whoever waits for one is answered, once in a turn. */
  onStored(keys: ReadonlySet<QueueKey>): void {
    for (const key of keys) {
      const waiting = this.#parked.get(key);
      if (waiting === undefined) continue;
      if (this.#woken.size === 0) setImmediate(() => this.#answerWoken());
      for (const fetch of waiting) this.#woken.add(fetch);
    }
  }

  /** Topics have changed: whoever waits may wait in vain. */
  onMetadata(): void {
    this.onStored(new Set(this.#parked.keys()));
  }

  /** @internal */
  fetch(stream: FetchStream, request: FetchRequest): void {
    const { queues, hasNews, bytes } = this.#collector.collect(request);
    if (hasNews || request.waitMs === 0) {
      this.#traffic.onFetched(queues);
      stream.answer({ requestId: request.requestId, queues: [...queues] }, bytes);
      return;
    }
    const keys = FetchCollector.keysOf(request);
    const timer = setTimeout(
      () => {
        this.#unpark(fetch);
        stream.answer({ requestId: request.requestId });
      },
      Math.min(request.waitMs, WAIT_MS_MAX),
    );
    const fetch: ParkedFetch = { stream, request, keys, timer };
    stream.parked.add(fetch);
    this.#traffic.fetchesWaiting += 1;
    for (const key of keys) {
      const waiting = this.#parked.get(key);
      if (waiting === undefined) this.#parked.set(key, new Set([fetch]));
      else waiting.add(fetch);
    }
  }

  /** Of a stream that is over. @internal */
  forget(stream: FetchStream): void {
    for (const fetch of stream.parked) this.#unpark(fetch);
  }

  #answerWoken(): void {
    const fetches = [...this.#woken];
    this.#woken.clear();
    for (const fetch of fetches) {
      if (!fetch.stream.parked.has(fetch)) continue;
      this.#unpark(fetch);
      fetch.stream.fetch(fetch.request);
    }
  }

  #unpark(fetch: ParkedFetch): void {
    clearTimeout(fetch.timer);
    this.#traffic.fetchesWaiting -= 1;
    fetch.stream.parked.delete(fetch);
    for (const key of fetch.keys) {
      const waiting = this.#parked.get(key);
      waiting?.delete(fetch);
      if (waiting?.size === 0) this.#parked.delete(key);
    }
  }
}

class FetchStream {
  readonly parked: Set<ParkedFetch> = new Set();
  readonly #service: FetchService;
  readonly #call: FetchCall;
  /** What would be answered now, if its client read. */
  readonly #deferred: FetchRequest[] = [];
  #unreadBytes = 0;
  #isOver = false;

  constructor(service: FetchService, call: FetchCall) {
    this.#service = service;
    this.#call = call;
  }

  start(): void {
    const call = this.#call;
    const onOver = (): void => {
      this.#isOver = true;
      this.#service.forget(this);
    };
    call.on("data", (request: FetchRequest) => {
      this.#onRequest(request);
    });
    call.on("end", () => {
      onOver();
      call.end();
    });
    call.on("cancelled", onOver);
    call.on("error", onOver);
  }

  get #isFull(): boolean {
    return this.#unreadBytes >= UNREAD_BYTES_MAX;
  }

  /** Now, or once the client has read what it was sent before. */
  fetch(request: FetchRequest): void {
    if (this.#isFull) this.#deferred.push(request);
    else this.#service.fetch(this, request);
  }

  /** @param batchBytes - Of the batches in it. */
  answer(reply: FetchReply.$Properties, batchBytes = 0): void {
    if (this.#isOver) return;
    const bytes = ANSWER_BYTES + batchBytes;
    this.#unreadBytes += bytes;
    this.#call.write(reply, () => {
      this.#onSent(bytes);
    });
    // Whoever does not read its answers is not read from.
    if (this.#isFull) this.#call.pause();
  }

  #onSent(bytes: number): void {
    this.#unreadBytes -= bytes;
    if (this.#isOver) return;
    while (!this.#isFull) {
      const next = this.#deferred.shift();
      if (next === undefined) break;
      this.#service.fetch(this, next);
    }
    if (!this.#isFull) this.#call.resume();
  }

  #onRequest(request: FetchRequest): void {
    const problem = this.#problemOf(request);
    try {
      if (problem === undefined) this.fetch(request);
      else this.answer({ requestId: request.requestId, error: errorDetail(problem) });
    } catch (error) {
      endWith(this.#call, new OperationError("FAILED", "a defect", { cause: error }));
      throw error;
    }
  }

  #problemOf({ positions }: FetchRequest): OperationError | undefined {
    const count = positions.length;
    if (count < 1 || count > POSITIONS_MAX)
      return invalid("positions", `${count} are not in [1, ${POSITIONS_MAX}]`);
    if (positions.some(({ tags }) => (tags?.length ?? 0) > TAGS_MAX))
      return invalid("tags", `more than ${TAGS_MAX}`);
    let waiting = count;
    for (const { keys } of this.parked) waiting += keys.length;
    if (waiting > WAITING_POSITIONS_MAX)
      return new OperationError(
        "TOO_MANY",
        `fetches of this stream would wait for ${waiting} queues, of ${WAITING_POSITIONS_MAX}`,
      );
    if (this.parked.size + this.#deferred.length >= WAITING_MAX)
      return new OperationError("TOO_MANY", `${WAITING_MAX} fetches of this stream wait already`);
    return undefined;
  }
}

function invalid(field: string, problem: string): OperationError {
  return new OperationError("INVALID_ARGUMENT", `${field}: ${problem}`, {
    problems: [{ field, problem }],
  });
}
