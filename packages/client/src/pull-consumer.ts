/** Reads queues that the program chooses, from where it chooses, at its own pace. */

import { setImmediate as endOfTurn } from "node:timers/promises";
import { OperationError, parseTagExpression } from "@quorumlog/protocol";
import { ClusterLink } from "./cluster-link.ts";
import type { ConsumedMessage } from "./consumed-message.ts";
import { FetchedQueue } from "./fetched-queue.ts";
import { Fetcher, type QueuePlace } from "./fetcher.ts";
import { GroupOffsets } from "./group-offsets.ts";
import { abortSignal, demandOptions, integerIn, invalid } from "./option-problems.ts";
import {
  demandAssignments,
  demandPlace,
  parsePullConsumerOptions,
  type PullConsumerEvent,
  type PullConsumerOptions,
  type PullConsumerSettings,
  type QueueAssignment,
  type QueueName,
} from "./pull-consumer-options.ts";
import { PullProgress } from "./pull-progress.ts";
import { RetryNotices } from "./retry-notices.ts";
import { demandNotAborted, type WaitOptions } from "./waiting.ts";

export interface PollOptions extends WaitOptions {
  /** In `[1, 100000]`; default 500. */
  readonly maxMessages?: number;
}

const MESSAGES = 500;
const POLL_MS = 5_000;
const ONE: PollOptions = { maxMessages: 1 };
/** Given out in one turn of the event loop, about. */
const TURN_MESSAGES = 500;
const FENCED_RETRY_MS = 200;
/** Of a queue that stands still: to ask whether its offset was reset. */
const STANDING_MS = 3_000;

const timeoutMs = integerIn(0, 600_000);
const WAIT_CHECKS = { signal: abortSignal, timeoutMs };
const POLL_CHECKS = { ...WAIT_CHECKS, maxMessages: integerIn(1, 100_000) };

export class PullConsumer implements AsyncDisposable, AsyncIterable<ConsumedMessage> {
  readonly #settings: PullConsumerSettings;
  readonly #link: ClusterLink;
  readonly #fetcher: Fetcher;
  /** None of a consumer without a group. */
  readonly #progress: PullProgress | undefined;
  readonly #stop = new AbortController();
  #closing: Promise<void> | undefined;
  /** Messages that were given out in this turn of the event loop. */
  #givenOut = 0;

  private constructor(settings: PullConsumerSettings, link: ClusterLink) {
    const { prefetchBytes: bytesMax, onOutOfRange, consumerGroup: group } = settings;
    this.#settings = settings;
    this.#link = link;
    const notices = new RetryNotices((event) => {
      this.#tell(event);
    });
    link.routes.onTrouble = (error) => {
      notices.note("routes", undefined, error);
    };
    const fetcher = new Fetcher({
      link,
      bytesMax,
      onOutOfRange,
      ...(group === undefined ? {} : { consumerGroup: group }),
      onTrouble: (groupId, error) => {
        notices.note("fetch", groupId, error);
      },
      onFenced: (queue) => {
        void this.#onFenced(queue);
      },
    });
    this.#fetcher = fetcher;
    if (group === undefined) return;
    const seeker = (groupId: number): ReturnType<Fetcher["seeker"]> => fetcher.seeker(groupId);
    this.#progress = new PullProgress({
      offsets: new GroupOffsets({ link, group, memberId: "pull", seeker }),
      fetcher,
      onReset: ({ source: { topic, queue }, position: offset }) => {
        this.#tell({ type: "reset", queue: { topic, queue }, offset });
      },
    });
  }

  /** @throws OperationError `INVALID_ARGUMENT` with all that does not fit, `TIMEOUT`, `ABORTED` */
  static async open(options: PullConsumerOptions): Promise<PullConsumer> {
    const settings = parsePullConsumerOptions(options);
    return new PullConsumer(settings, await ClusterLink.open(settings, options.signal));
  }

  /** @returns the queues of a topic, as it is now. @throws OperationError `UNKNOWN_TOPIC` */
  queuesOf(topic: string): QueueName[] {
    const route = this.#link.routes.route.topics.get(topic);
    if (route === undefined) throw unknownTopic(topic);
    return route.groupIds.map((_, queue) => ({ topic, queue }));
  }

  /**
   * Reads these queues from now on, and no others. One that was read before goes on where it is; a
   * new one begins at the group's committed offset, or at `startFrom`.
   *
   * @throws OperationError; then nothing has changed
   */
  async assign(queues: readonly QueueAssignment[], options: WaitOptions = {}): Promise<void> {
    this.#demandOpen();
    demandAssignments(queues);
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    const known = new Map(this.#fetcher.queues.map((queue) => [nameOf(queue.source), queue]));
    const wanted = new Map(queues.map((each) => [nameOf(each), each]));
    const added = [...wanted]
      .filter(([name, { tags }]) => !hasSameTags(known.get(name), tags))
      .map(([, assignment]) => this.#queue(assignment));
    const offsets = await Promise.all(added.map((queue) => this.#startOf(queue, options)));
    this.#demandOpen();
    const names = new Set(added.map(({ source }) => nameOf(source)));
    for (const [name, queue] of known)
      if (!wanted.has(name) || names.has(name)) this.#fetcher.remove(queue);
    for (const [i, queue] of added.entries()) {
      queue.seek(offsets[i] as number);
      this.#fetcher.add(queue);
    }
  }

  /** @throws OperationError `NOT_ASSIGNED`, or of a broker that cannot be asked */
  async seek(name: QueueName, place: QueuePlace, options: WaitOptions = {}): Promise<void> {
    this.#demandOpen();
    const queue = this.#assigned(name);
    demandPlace(place);
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    const offset = await this.#fetcher.offsetOf(queue, place, options);
    this.#fetcher.seek(this.#assigned(name), offset);
  }

  /** @returns the offset behind what was taken. @throws OperationError `NOT_ASSIGNED` */
  position(name: QueueName): number {
    return this.#assigned(name).position;
  }

  /** Its messages are kept back, or not any more. @throws OperationError `NOT_ASSIGNED` */
  pause(name: QueueName, isPaused = true): void {
    this.#fetcher.pause(this.#assigned(name), isPaused);
  }

  /**
   * Takes the next messages, in the order of their queues.
   *
   * @returns at least one, or none if `timeoutMs` (default 5000) is over.
   * @throws OperationError `OFFSET_OUT_OF_RANGE` with the range, `INVALID_BATCH` for bytes that
   *   stay damaged, `UNDECODABLE` with the range that nobody can decode: until `seek` has moved the
   *   queue; `ABORTED`; `CLOSED`
   */
  async poll(options: PollOptions = {}): Promise<ConsumedMessage[]> {
    demandOptions<PollOptions>(options, POLL_CHECKS);
    const { maxMessages = MESSAGES, timeoutMs: patience = POLL_MS, signal } = options;
    const deadline = performance.now() + patience;
    // Whoever polls in a loop would keep the process from asking for more until nothing is left.
    if (this.#givenOut >= TURN_MESSAGES) await endOfTurn();
    for (;;) {
      this.#demandOpen();
      demandNotAborted(signal);
      let messages: ConsumedMessage[];
      try {
        messages = this.#fetcher.take(maxMessages);
      } catch (error) {
        const wait = { timeoutMs: STANDING_MS, ...(signal === undefined ? {} : { signal }) };
        if (await this.#hasMoved(wait)) continue;
        throw error;
      }
      if (messages.length > 0) {
        this.#onGivenOut(messages.length);
        return messages;
      }
      const left = deadline - performance.now();
      if (left <= 0) return messages;
      await this.#fetcher.news.wait(left, signal);
    }
  }

  #onGivenOut(count: number): void {
    if (this.#givenOut === 0)
      setImmediate(() => {
        this.#givenOut = 0;
      });
    this.#givenOut += count;
  }

  /**
   * Notes in the log of the cluster how far the group is: at what was taken, or at `offset` of one
   * queue. Commits are carried out one behind the other. A queue whose offset was reset meanwhile
   * is not committed, and no failure: it goes on where it was reset to, told by an event.
   *
   * @throws OperationError of the first queue that was refused; the others are committed.
   *   `STALE_EPOCH` if the group has members that were assigned the queue, `OFFSET_OUT_OF_RANGE`
   *   with the range beyond the queue's end
   */
  async commit(
    options: WaitOptions & { readonly queue?: QueueName; readonly offset?: number } = {},
  ): Promise<void> {
    this.#demandOpen();
    if (this.#progress === undefined)
      throw invalid([{ field: "consumerGroup", problem: "missing; nothing can be committed" }]);
    const { queue: name, offset, signal, timeoutMs: patience } = options;
    demandOptions<WaitOptions>({ signal, timeoutMs: patience }, WAIT_CHECKS);
    const queues = name === undefined ? this.#fetcher.queues : [this.#assigned(name)];
    const places = new Map(
      queues.map((queue) => [
        queue,
        name === undefined ? queue.position : (offset ?? queue.position),
      ]),
    );
    await this.#progress.commit(places, {
      ...(signal === undefined ? {} : { signal }),
      ...(patience === undefined ? {} : { timeoutMs: patience }),
    });
  }

  /**
   * Message by message, until it is closed. One is taken when it is asked for, and none before: a
   * commit within the loop notes the message of that turn, and nothing behind it.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<ConsumedMessage, void, void> {
    while (this.#closing === undefined) {
      let messages: ConsumedMessage[];
      try {
        messages = await this.poll(ONE);
      } catch (error) {
        if (error instanceof OperationError && error.code === "CLOSED") return;
        throw error;
      }
      yield* messages;
    }
  }

  /** Commits nothing. Idempotent; whoever polls is told `CLOSED`. */
  close(): Promise<void> {
    this.#stop.abort();
    this.#closing ??= this.#fetcher.close().then(() => this.#link.close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #queue({ topic: name, queue, tags = "" }: QueueAssignment): FetchedQueue {
    const topic = this.#link.routes.route.topics.get(name);
    if (topic === undefined) throw unknownTopic(name);
    if (queue >= topic.groupIds.length)
      throw new OperationError("UNKNOWN_QUEUE", `${name} has no queue ${queue}`);
    const { onUndecodable: policy, consumerGroup: group } = this.#settings;
    return new FetchedQueue(topic, queue, parseTagExpression(tags), {
      policy,
      group,
      onUndecodable: (told) => {
        this.#tell({ type: "undecodable", ...told });
      },
    });
  }

  async #startOf(queue: FetchedQueue, wait: WaitOptions): Promise<number> {
    const committed = await this.#progress?.startOf(queue, wait);
    return committed ?? this.#fetcher.offsetOf(queue, this.#settings.startFrom, wait);
  }

  /** Its offset was reset, or members have claimed it. Never rejects. */
  async #onFenced(queue: FetchedQueue): Promise<void> {
    const { version } = queue;
    while (this.#closing === undefined && queue.version === version) {
      try {
        const isReset = await this.#progress?.follow(queue, { signal: this.#stop.signal });
        if (isReset !== true && queue.version === version) this.#fetcher.release(queue);
        return;
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
      }
      // Nobody could be asked: as long as that is so, nothing is read.
      await new Promise((resolve) => setTimeout(resolve, FENCED_RETRY_MS));
    }
  }

  /** A queue that stands still may have been reset meanwhile. */
  async #hasMoved(wait: WaitOptions): Promise<boolean> {
    const standing = this.#fetcher.queues.filter(({ problem }) => problem !== undefined);
    for (const queue of standing)
      try {
        if ((await this.#progress?.follow(queue, wait)) === true) return true;
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
      }
    return false;
  }

  #assigned(name: QueueName): FetchedQueue {
    demandAssignments([name]);
    const found = this.#fetcher.queues.find(({ source }) => nameOf(source) === nameOf(name));
    if (found !== undefined) return found;
    throw new OperationError("NOT_ASSIGNED", `queue ${name.queue} of ${name.topic} is not read`);
  }

  /** What a listener of events throws is its own: it must not end what goes on here. */
  #tell(event: PullConsumerEvent): void {
    try {
      this.#settings.onEvent?.(event);
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  }

  #demandOpen(): void {
    if (this.#closing !== undefined)
      throw new OperationError("CLOSED", "the consumer is closed", { outcome: "not-applied" });
  }
}

function nameOf({ topic, queue }: QueueName): string {
  return `${queue}/${topic}`;
}

function hasSameTags(queue: FetchedQueue | undefined, tags = ""): boolean {
  return queue !== undefined && queue.tags.join("|") === parseTagExpression(tags).join("|");
}

function unknownTopic(topic: string): OperationError {
  return new OperationError("UNKNOWN_TOPIC", `there is no topic ${topic}`);
}
