/**
 * Consumes topics together with the other members of its group: each queue is one member's at a
 * time, and each message is handed to a listener until that has finished it.
 *
 * At least once: whoever takes a queue over begins at the lowest offset that was not finished, or
 * not committed yet.
 */

import { randomUUID } from "node:crypto";
import { OperationError } from "@quorumlog/protocol";
import { ConsumeMode } from "@quorumlog/protocol/messages";
import { AssignedQueues } from "./assigned-queues.ts";
import { ClusterLink } from "./cluster-link.ts";
import type { ConsumedMessage } from "./consumed-message.ts";
import { Fetcher } from "./fetcher.ts";
import { GroupMembership, METADATA_GROUP_ID } from "./group-membership.ts";
import { GroupOffsets } from "./group-offsets.ts";
import { MessageMailbox } from "./message-mailbox.ts";
import { type MessageListener, MessageWorkers } from "./message-workers.ts";
import {
  parsePushConsumerOptions,
  type PushConsumerEvent,
  type PushConsumerOptions,
  type PushConsumerSettings,
  STRATEGIES,
} from "./push-consumer-options.ts";
import type { QueueProgress } from "./queue-progress.ts";
import { abortSignal, demandOptions, integerIn } from "./option-problems.ts";
import { RetryNotices } from "./retry-notices.ts";
import { Bell, demandNotAborted, type WaitOptions } from "./waiting.ts";

const RETRY_MS_MAX = 30_000;
const JOIN_MS = 10_000;
const WAIT_CHECKS = { signal: abortSignal, timeoutMs: integerIn(1, 600_000) };

export class PushConsumer implements AsyncDisposable, AsyncIterable<ConsumedMessage> {
  readonly #settings: PushConsumerSettings;
  readonly #link: ClusterLink;
  readonly #fetcher: Fetcher;
  readonly #workers: MessageWorkers;
  readonly #queues: AssignedQueues;
  readonly #membership: GroupMembership;
  readonly #mailbox: MessageMailbox = new MessageMailbox();
  readonly #joined = new Bell();
  readonly #reported = new WeakSet<Error>();
  #hasJoined = false;
  #failure: Error | undefined;
  #commits: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  private constructor(settings: PushConsumerSettings, link: ClusterLink) {
    this.#settings = settings;
    this.#link = link;
    const { consumerGroup: group, instanceId } = settings;
    const memberId = instanceId ?? randomUUID();
    const notices = new RetryNotices((event) => {
      this.#tell(event);
    });
    link.routes.onTrouble = (error) => {
      notices.note("routes", undefined, error);
    };
    const fetcher = new Fetcher({
      link,
      consumerGroup: group,
      bytesMax: settings.prefetchBytes,
      onOutOfRange: settings.onOutOfRange,
      onTrouble: (groupId, error) => {
        notices.note("fetch", groupId, error);
      },
      onNews: () => {
        this.#workers.pump();
      },
    });
    this.#fetcher = fetcher;
    this.#workers = this.#makeWorkers();
    const seeker = (groupId: number): ReturnType<Fetcher["seeker"]> => fetcher.seeker(groupId);
    this.#membership = new GroupMembership({
      link,
      join: joinRequest(settings, memberId),
      onAssignment: (assignment) => {
        this.#hasJoined = true;
        this.#joined.ring();
        this.#queues.assign(assignment);
      },
      onTrouble: (error) => {
        notices.note("membership", METADATA_GROUP_ID, error);
      },
      onLapsed: () => {
        // Whoever is given a queue meanwhile claims it: then commits of this member are refused,
        // and it lets go. While nobody can be asked, nobody is given any.
        this.#tell({ type: "lapsed" });
      },
      onRefused: (error) => {
        this.#failure = error;
        this.#tell({ type: "refused", error });
        this.#queues.loseAll();
        this.#mailbox.close();
        this.#joined.ring();
      },
    });
    this.#queues = new AssignedQueues({
      settings,
      link,
      fetcher,
      workers: this.#workers,
      offsets: keepsProgress(settings)
        ? new GroupOffsets({ link, group, memberId, isOwnProgress: isShared(settings), seeker })
        : undefined,
      leaseMs: leaseMsOf(settings),
      notices,
      onEvent: (event) => {
        this.#tell(event);
      },
      onAdopted: (epoch) => {
        this.#membership.adopt(epoch);
      },
    });
  }

  /**
   * Joins the group.
   *
   * @throws OperationError `INVALID_ARGUMENT` with all that does not fit, `SUBSCRIPTION_MISMATCH`
   *   with
   *   the difference to what the group's other members subscribe to, `TIMEOUT`, `ABORTED`
   */
  static async open(options: PushConsumerOptions): Promise<PushConsumer> {
    const settings = parsePushConsumerOptions(options);
    const consumer = new PushConsumer(settings, await ClusterLink.open(settings, options.signal));
    try {
      await consumer.#join(options.signal);
      return consumer;
    } catch (error) {
      await consumer.close();
      throw error;
    }
  }

  /** Nothing is handed out or fetched until `resume`; what was handed out is finished. */
  pause(): void {
    this.#fetcher.isPaused = true;
    this.#workers.isPaused = true;
  }

  resume(): void {
    this.#fetcher.isPaused = false;
    this.#workers.isPaused = false;
  }

  /**
   * Notes how far it is, before the next time it would. May be repeated.
   *
   * @throws OperationError of the first queue for which that failed; `ABORTED`. What another member
   *   has by now is not committed, and no failure.
   */
  async commit(options: WaitOptions = {}): Promise<void> {
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    const failure = await this.#queues.commit(options);
    if (failure !== undefined) throw failure;
  }

  /**
   * Message by message, for a consumer without a listener: each is finished when the next one is
   * asked for; of a loop that is left the last one is not, and the next loop begins with it. Ends
   * when it is closed; throws why the group does not let it in.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<ConsumedMessage, void, void> {
    for (;;) {
      const letter = await this.#mailbox.take();
      if (letter === undefined) break;
      let isAskedOn = false;
      try {
        yield letter.message;
        isAskedOn = true;
      } finally {
        if (!isAskedOn) this.#mailbox.putBack(letter);
      }
      letter.finish();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Waits for what was handed out, commits, and leaves the group: its queues are given to others at
   * once. Whatever is not finished within `closeTimeoutMs` is delivered again to somebody.
   * Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #join(signal: AbortSignal | undefined): Promise<void> {
    this.#membership.start();
    const deadline = performance.now() + JOIN_MS;
    while (!this.#hasJoined) {
      demandNotAborted(signal);
      if (this.#failure !== undefined) throw this.#failure;
      const left = deadline - performance.now();
      const why = `consumer group ${this.#settings.consumerGroup} was not joined in time`;
      if (left <= 0) throw new OperationError("TIMEOUT", why);
      await this.#joined.wait(left, signal);
    }
    const { commitIntervalMs } = this.#settings;
    const leaseMs = leaseMsOf(this.#settings);
    const everyMs = leaseMs === 0 ? commitIntervalMs : Math.min(commitIntervalMs, leaseMs / 3);
    this.#commits = setInterval(() => {
      this.#queues.tick();
    }, everyMs);
  }

  async #close(): Promise<void> {
    clearInterval(this.#commits);
    this.#workers.stop();
    this.#mailbox.close();
    // Whoever iterates has asked for no next message: what it has is not finished.
    if (this.#settings.listener !== undefined)
      await Promise.race([this.#workers.drained(), this.#patience()]);
    await this.#queues.close();
    await this.#membership.leave();
    await this.#fetcher.close();
    await this.#link.close();
  }

  #patience(): Promise<void> {
    return new Promise((resolve) => {
      setTimeout(resolve, this.#settings.closeTimeoutMs).unref();
    });
  }

  #makeWorkers(): MessageWorkers {
    const { order, concurrency, attemptsMax, retryMs } = this.#settings;
    const iterated: MessageListener = (message, { signal }) => this.#mailbox.put(message, signal);
    return new MessageWorkers({
      fetcher: this.#fetcher,
      listener: this.#settings.listener ?? iterated,
      order,
      concurrency,
      attemptsMax,
      retryMs: { min: retryMs, max: Math.max(retryMs, RETRY_MS_MAX) },
      onFailed: (message, error, attempt) => {
        if (this.#settings.listener !== undefined)
          this.#tell({ type: "failed", message, error, attempt });
      },
      onGivenUp: (message, error) => {
        this.#tell({ type: "given-up", message, error });
      },
      onProblem: (progress) => {
        this.#onProblem(progress);
      },
    });
  }

  #onProblem(progress: QueueProgress): void {
    const { source, problem } = progress.queue;
    if (problem?.code === "STALE_FENCING_TOKEN") {
      if (!progress.isFenced) this.#queues.onFenced(progress);
      return;
    }
    // It was told of as it stopped.
    if (problem === undefined || problem.code === "UNDECODABLE") return;
    if (this.#reported.has(problem)) return;
    this.#reported.add(problem);
    this.#tell({ type: "queue-problem", queue: source, error: problem });
  }

  /** What a listener of events throws is its own: it must not end what goes on here. */
  #tell(event: PushConsumerEvent): void {
    const { onEvent } = this.#settings;
    // A queue stands still until somebody does something about it: not without a word.
    if (onEvent === undefined && event.type === "undecodable" && !event.isSkipped)
      process.emitWarning(event.error);
    try {
      onEvent?.(event);
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  }
}

/** Each member has all queues. */
function isShared({ mode }: PushConsumerSettings): boolean {
  return mode === "broadcasting";
}

/** A member without a name of its own does not come back to where it was. */
function keepsProgress(settings: PushConsumerSettings): boolean {
  return !isShared(settings) || settings.instanceId !== undefined;
}

/** Whoever has a queue by lease, and is silent for a session, loses both at about the same time. */
function leaseMsOf(settings: PushConsumerSettings): number {
  return settings.order === "orderly" && !isShared(settings) ? settings.sessionTimeoutMs : 0;
}

function joinRequest(
  settings: PushConsumerSettings,
  memberId: string,
): ConstructorParameters<typeof GroupMembership>[0]["join"] {
  const { consumerGroup: group, strategy, subscriptions, sessionTimeoutMs } = settings;
  return {
    group,
    memberId,
    mode: isShared(settings)
      ? ConsumeMode.CONSUME_MODE_BROADCASTING
      : ConsumeMode.CONSUME_MODE_CLUSTERING,
    isOrderly: settings.order === "orderly",
    strategy: STRATEGIES[strategy],
    subscriptions: Object.entries(subscriptions).map(([topic, tagExpression]) => ({
      topic,
      tagExpression,
    })),
    sessionTimeoutMs,
  };
}
