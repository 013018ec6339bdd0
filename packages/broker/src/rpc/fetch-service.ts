/**
 * Answers fetches: at once if there is something to read, else when something comes, or in time.
 *
 * Fetches get a share of the event loop's time, a slice and then a pause: whoever does not fit
 * waits, in the order in which they came or were woken. So whatever readers ask for, the node goes
 * on to lead, and what is published to be acknowledged. Those that wait at the ends of queues get
 * less: with hundreds of them, they are woken less often, and get more at once.
 */

import { endWith, errorDetail, type Handler, OperationError } from "@quorumlog/protocol";
import type { FetchReply, FetchRequest } from "@quorumlog/protocol/messages";
import type { BrokerGroup } from "../broker-group.ts";
import type { BrokerSettings } from "../broker-options.ts";
import type { BrokerTraffic } from "../broker-traffic.ts";
import type { QueueKey } from "../state/queue-key.ts";
import { FetchCollector } from "./fetch-collector.ts";
import { FollowerReads } from "./follower-reads.ts";
import { TimeShare } from "./time-share.ts";
import { TurnLimit } from "./turn-limit.ts";

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
/** What fetches get at a time; far less than makes followers elect another leader. */
const SLICE_MS = 5;
/** Of the time, what fetches get at most is one part in so many; those that are woken, less. */
const SHARE = 2;
const WOKEN_SHARE = 5;
/** Nothing was stored for so long: there is nobody whom fetches would keep waiting. */
const QUIET_MS = 100;
/** About, of an answer beside its batches. */
const ANSWER_BYTES = 256;

/** A fetch that is to be looked at. */
interface ReadyFetch {
  readonly stream: FetchStream;
  readonly request: FetchRequest;
  /** As `performance.now` says: it is answered then, however often it was woken for nothing. */
  readonly deadline: number;
  /** It has waited for something to come. */
  readonly isWoken: boolean;
}

/** A fetch that found nothing yet. */
interface ParkedFetch extends ReadyFetch {
  readonly keys: readonly QueueKey[];
  readonly timer: NodeJS.Timeout;
}

export class FetchService {
  /** @internal */
  readonly onDefect: (error: unknown) => void;
  readonly #collector: FetchCollector;
  readonly #traffic: BrokerTraffic;
  readonly #parked = new Map<QueueKey, Set<ParkedFetch>>();
  readonly #ready: Set<ReadyFetch> = new Set();
  readonly #woken: Set<ReadyFetch> = new Set();
  readonly #looking = new TimeShare(SHARE, () => {
    this.#lookAtReady();
  });
  readonly #waking = new TimeShare(WOKEN_SHARE, () => {
    for (const fetch of this.#woken) this.#ready.add(fetch);
    this.#woken.clear();
    this.#lookAtReady();
  });

  /** Also where nobody else has anything to do: elections and heartbeats do not wait for longer. */
  readonly #turn = new TurnLimit(SLICE_MS);
  /** When something was stored here last, by `performance.now()`. */
  #storedAt = Number.NEGATIVE_INFINITY;

  /** @param onDefect - Something threw that should not: the process should end. */
  constructor(group: BrokerGroup, settings: BrokerSettings, onDefect: (error: unknown) => void) {
    this.onDefect = onDefect;
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

  /** These queues have more: whoever waits for one is looked at again. */
  onStored(keys: ReadonlySet<QueueKey>): void {
    this.#storedAt = performance.now();
    this.#wake(keys);
  }

  /** Topics have changed: whoever waits may wait in vain. */
  onMetadata(): void {
    this.#wake(new Set(this.#parked.keys()));
  }

  #wake(keys: ReadonlySet<QueueKey>): void {
    for (const key of keys)
      for (const fetch of this.#parked.get(key) ?? []) {
        this.#unpark(fetch);
        // Other queues that it waits for may have more by then.
        fetch.stream.ready.add(fetch);
        this.#woken.add(fetch);
        this.#waking.schedule();
      }
  }

  /** Now, if nobody waits and fetches have had no more than their share; else soon. @internal */
  look(fetch: ReadyFetch): void {
    fetch.stream.ready.add(fetch);
    this.#ready.add(fetch);
    const isOpen = this.#looking.isOpen && this.#turn.isOpen;
    if (this.#ready.size === 1 && isOpen) this.#lookAtReady();
    else this.#looking.schedule();
  }

  /** In the order in which they came or were woken. */
  #lookAtReady(): void {
    const beganAt = performance.now();
    for (const fetch of this.#ready) {
      this.#unready(fetch);
      this.#lookAt(fetch);
      if (performance.now() - beganAt >= SLICE_MS) break;
    }
    if (this.#ready.size > 0) this.#looking.schedule();
  }

  #lookAt(fetch: ReadyFetch): void {
    const beganAt = performance.now();
    fetch.stream.fetch(fetch);
    const endedAt = performance.now();
    this.#turn.onSpent(endedAt - beganAt);
    if (endedAt - this.#storedAt > QUIET_MS) return;
    this.#looking.onSpent(beganAt, endedAt);
    if (fetch.isWoken) this.#waking.onSpent(beganAt, endedAt);
  }

  #unready(fetch: ReadyFetch): void {
    this.#ready.delete(fetch);
    this.#woken.delete(fetch);
    fetch.stream.ready.delete(fetch);
  }

  /** @internal */
  fetch({ stream, request, deadline }: ReadyFetch): void {
    const { queues, hasNews, bytes } = this.#collector.collect(request);
    const leftMs = deadline - performance.now();
    if (hasNews || leftMs <= 0) {
      this.#traffic.onFetched(queues);
      stream.answer({ requestId: request.requestId, queues: [...queues] }, bytes);
      return;
    }
    const keys = FetchCollector.keysOf(request);
    const timer = setTimeout(() => {
      this.#unpark(fetch);
      stream.answer({ requestId: request.requestId });
    }, leftMs);
    const fetch: ParkedFetch = { stream, request, deadline, keys, timer, isWoken: true };
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
    for (const fetch of stream.ready) this.#unready(fetch);
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
  readonly ready: Set<ReadyFetch> = new Set();
  readonly #service: FetchService;
  readonly #call: FetchCall;
  /** What would be answered now, if its client read. */
  readonly #deferred: ReadyFetch[] = [];
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
  fetch(fetch: ReadyFetch): void {
    if (this.#isFull) {
      this.#deferred.push(fetch);
      return;
    }
    try {
      this.#service.fetch(fetch);
    } catch (error) {
      endWith(this.#call, new OperationError("FAILED", "a defect", { cause: error }));
      this.#service.onDefect(error);
    }
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
    if (!this.#isFull) for (const fetch of this.#deferred.splice(0)) this.#service.look(fetch);
    if (!this.#isFull) this.#call.resume();
  }

  #onRequest(request: FetchRequest): void {
    const problem = this.#problemOf(request);
    if (problem === undefined) {
      const deadline = performance.now() + Math.min(request.waitMs, WAIT_MS_MAX);
      this.#service.look({ stream: this, request, deadline, isWoken: false });
    } else this.answer({ requestId: request.requestId, error: errorDetail(problem) });
  }

  #problemOf({ positions }: FetchRequest): OperationError | undefined {
    const count = positions.length;
    if (count < 1 || count > POSITIONS_MAX)
      return invalid("positions", `${count} are not in [1, ${POSITIONS_MAX}]`);
    if (positions.some(({ tags }) => (tags?.length ?? 0) > TAGS_MAX))
      return invalid("tags", `more than ${TAGS_MAX}`);
    let waiting = count;
    for (const { keys } of this.parked) waiting += keys.length;
    for (const { request } of this.ready) waiting += request.positions.length;
    if (waiting > WAITING_POSITIONS_MAX)
      return new OperationError(
        "TOO_MANY",
        `fetches of this stream would wait for ${waiting} queues, of ${WAITING_POSITIONS_MAX}`,
      );
    if (this.parked.size + this.ready.size + this.#deferred.length >= WAITING_MAX)
      return new OperationError("TOO_MANY", `${WAITING_MAX} fetches of this stream wait already`);
    return undefined;
  }
}

function invalid(field: string, problem: string): OperationError {
  return new OperationError("INVALID_ARGUMENT", `${field}: ${problem}`, {
    problems: [{ field, problem }],
  });
}
