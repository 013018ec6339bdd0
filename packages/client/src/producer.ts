/**
 * Publishes messages.
 *
 * A call joins the open batch of a queue; its group's sender takes it from there. Here is what a
 * call is before and after: checked, given a topic, a place in the buffer and a deadline; and
 * settled.
 */

import {
  BATCH_RECORDS_MAX,
  type FieldProblem,
  MESSAGE_BYTES_MAX,
  OperationError,
} from "@quorumlog/protocol";
import { BATCH_MEMORY } from "./batch-memory.ts";
import { ClusterLink } from "./cluster-link.ts";
import { DeadlineList } from "./deadline-list.ts";
import { GroupSender } from "./group-sender.ts";
import { invalid } from "./option-problems.ts";
import {
  demandMessage,
  demandTopicName,
  type OutgoingMessage,
  ownMessage,
} from "./outgoing-message.ts";
import {
  demandSendOptions,
  parseProducerOptions,
  type ProducerOptions,
  type ProducerSettings,
  type SendOptions,
} from "./producer-options.ts";
import type { OutgoingBatch } from "./outgoing-batch.ts";
import { ProducerIdentity } from "./producer-identity.ts";
import { SendBuffer } from "./send-buffer.ts";
import { SendCall } from "./send-call.ts";
import type { SendReceipt } from "./send-receipt.ts";
import { TopicCreator } from "./topic-creator.ts";
import { TopicQueues } from "./topic-queues.ts";
import { aborted, Bell, onceAborted } from "./waiting.ts";

/** A topic that was made just now may not have come round to the NameServers. */
const UNKNOWN_TOPIC_MS = 1_000;
/** One that is asked for may have to wait for an election. */
const CREATION_MS = 15_000;
const NO_OPTIONS: SendOptions = Object.freeze({});
const TAGS_MAX = 255;
const CLOSE_LOOK_MS = 1_000;
const ONE_WAY: SendOptions = Object.freeze({ durability: "async" });

export class Producer implements AsyncDisposable {
  readonly #settings: ProducerSettings;
  readonly #link: ClusterLink;
  readonly #topics = new Map<string, TopicQueues>();
  readonly #senders = new Map<number, GroupSender>();
  /** Of topics that nothing is known of. */
  readonly #strangers = new Map<string, { readonly calls: SendCall[]; timer: NodeJS.Timeout }>();
  readonly #buffer: SendBuffer;
  readonly #deadlines: DeadlineList;
  readonly #settled = new Bell();
  readonly #creator: TopicCreator;
  readonly #identity: ProducerIdentity;
  #liveCount = 0;
  #isAdmitting = false;
  #closing: Promise<void> | undefined;

  private constructor(settings: ProducerSettings, link: ClusterLink) {
    this.#settings = settings;
    this.#link = link;
    this.#creator = new TopicCreator(link);
    this.#identity = new ProducerIdentity(settings);
    this.#buffer = new SendBuffer(settings.bufferBytes);
    this.#deadlines = new DeadlineList((call) => {
      this.#giveUp(call, this.#timedOut(call));
    });
    link.routes.onChange(() => {
      this.#onRoute();
    });
  }

  /**
   * Looks for the cluster.
   *
   * @throws OperationError `INVALID_ARGUMENT` with all that does not fit, `TIMEOUT` if no
   *   NameServer
   *   answers, `ABORTED`; nothing is left behind
   */
  static async open(options: ProducerOptions): Promise<Producer> {
    const settings = parseProducerOptions(options);
    return new Producer(settings, await ClusterLink.open(settings, options.signal));
  }

  /**
   * Publishes one message. It is stored once, however often it had to be sent: retries within the
   * deadline follow the leader and bear the same number. Below `quorum` there are no numbers, and
   * what may have been stored is not sent again.
   *
   * @param message - Borrowed until the call is settled.
   * @returns where it is, once its durability is reached.
   * @throws OperationError as a rejection; `outcome` says whether it may have been stored: of a
   *   deadline that has passed (`TIMEOUT`), of a signal (`ABORTED`), and of whatever was wrong.
   *   `OVERLOADED` if the buffer is full.
   */
  send(
    topic: string,
    message: OutgoingMessage,
    options: SendOptions = NO_OPTIONS,
  ): Promise<SendReceipt> {
    return new Promise((resolve, reject) => {
      this.#begin(topic, message, options, { others: undefined, resolve, reject });
    });
  }

  /**
   * Publishes messages to one queue, all or none of them, one behind the other. The first one's
   * message group, if any, decides on the queue.
   *
   * @param messages - At most 65535, and 4 MiB in all.
   * @returns in the order of `messages`.
   * @throws OperationError as `send`
   */
  sendBatch(
    topic: string,
    messages: readonly OutgoingMessage[],
    options: SendOptions = NO_OPTIONS,
  ): Promise<readonly SendReceipt[]> {
    return new Promise((resolve, reject) => {
      demandBatch(messages);
      const [first] = messages as readonly [OutgoingMessage];
      this.#begin(topic, first, options, { others: messages, resolve, reject });
    });
  }

  /**
   * Publishes one message into the leader's memory, and does not wait for it.
   *
   * @returns whether there was room for it. Nothing is said of what happens after that.
   * @throws OperationError `INVALID_ARGUMENT`, `MESSAGE_TOO_LARGE`, `CLOSED`
   */
  sendOneWay(topic: string, message: OutgoingMessage): boolean {
    let refusal: OperationError | undefined;
    let isBegun = false;
    const reject = (error: unknown): void => {
      if (!isBegun) refusal = error as OperationError;
    };
    this.#begin(topic, message, ONE_WAY, { others: undefined, resolve: ignore, reject });
    isBegun = true;
    if (refusal === undefined) return true;
    if (refusal.code === "OVERLOADED") return false;
    throw refusal;
  }

  /**
   * Waits until everything that was sent is settled, each call within its deadline, and closes.
   * Idempotent; calls after it are refused.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #begin(
    topic: string,
    message: OutgoingMessage,
    options: SendOptions,
    rest: {
      readonly others: readonly OutgoingMessage[] | undefined;
      readonly resolve: (value: never) => void;
      readonly reject: (error: Error) => void;
    },
  ): void {
    if (this.#closing !== undefined) {
      rest.reject(closed());
      return;
    }
    let call: SendCall;
    try {
      const known = this.#topics.has(topic);
      if (!known) demandTopicName(topic);
      if (options !== NO_OPTIONS && options !== ONE_WAY) demandSendOptions(options);
      const { durability = this.#settings.durability, timeoutMs = this.#settings.timeoutMs } =
        options;
      const bytes = rest.others === undefined ? demandMessage(message) : batchBytes(rest.others);
      // Each field by its name: this is run for each message, and copies of objects are slow.
      call = new SendCall({
        topic,
        message: ownMessage(message),
        others: rest.others?.map(ownMessage),
        bytes,
        durability,
        timeoutMs,
        resolve: rest.resolve,
        reject: rest.reject,
      });
      if (options.signal !== undefined) this.#heed(call, options.signal);
    } catch (error) {
      rest.reject(error as Error);
      return;
    }
    if (call.isSettled) return;
    this.#liveCount += 1;
    this.#deadlines.add(call);
    if (this.#buffer.hasRoom(call.bytes) && !this.#buffer.hasWaiting) this.#admit(call);
    else if (this.#settings.onFull !== "wait" || options === ONE_WAY || !this.#buffer.wait(call))
      this.#fail(call, overloaded(this.#settings.bufferBytes));
  }

  /** It has a place in the buffer, and goes to a queue as soon as its topic is known. */
  #admit(call: SendCall): void {
    call.isAdmitted = true;
    this.#buffer.take(call.bytes);
    const queues = this.#topics.get(call.topic) ?? this.#meet(call.topic);
    if (queues !== undefined) this.#enqueue(queues, call);
    else this.#awaitTopic(call);
  }

  #enqueue(queues: TopicQueues, call: SendCall): void {
    try {
      const outbox = queues.outboxFor(call.message);
      this.#senderOf(outbox.groupId).add(outbox, call);
    } catch (error) {
      // Also what a selector has thrown, which is the caller's to see.
      this.#onSettled(call);
      call.fail(error as OperationError);
    }
  }

  /** @returns `undefined` if nothing is known of a topic of that name. */
  #meet(name: string): TopicQueues | undefined {
    const topic = this.#link.routes.route.topics.get(name);
    if (topic === undefined || topic.groupIds.length === 0) return undefined;
    const { batchBytes: batchBytesMax, compression, queueSelector } = this.#settings;
    const queues = new TopicQueues({
      topic,
      outbox: { batchBytesMax, compress: compression === "deflate", memory: BATCH_MEMORY },
      selector: queueSelector,
      isSlow: (groupId) => this.#isSlow(groupId),
    });
    this.#topics.set(name, queues);
    this.#identity.add(topic.topicId);
    return queues;
  }

  /** Also of whoever has no leader, as far as the routes know. */
  #isSlow(groupId: number): boolean {
    const group = this.#link.routes.route.groups.get(groupId);
    if (group === undefined || !group.addresses.has(group.leaderNodeId)) return true;
    return this.#senders.get(groupId)?.isSlow(performance.now()) ?? false;
  }

  #senderOf(groupId: number): GroupSender {
    let sender = this.#senders.get(groupId);
    if (sender === undefined) {
      sender = new GroupSender({
        groupId,
        link: this.#link,
        identity: this.#identity,
        lingerMs: this.#settings.lingerMs,
        batchBytesMax: this.#settings.batchBytes,
        onSettled: (call) => {
          this.#onSettled(call);
        },
      });
      this.#senders.set(groupId, sender);
    }
    return sender;
  }

  #awaitTopic(call: SendCall): void {
    const { topic } = call;
    const stranger = this.#strangers.get(topic);
    if (stranger !== undefined) {
      stranger.calls.push(call);
      return;
    }
    const { createsTopics } = this.#settings;
    const timer = setTimeout(
      () => {
        const error = new OperationError("UNKNOWN_TOPIC", `there is no topic ${topic}`);
        this.#failStrangers(topic, error);
      },
      createsTopics ? CREATION_MS : UNKNOWN_TOPIC_MS,
    );
    this.#strangers.set(topic, { calls: [call], timer });
    if (createsTopics)
      this.#creator.create(topic, (error) => {
        this.#failStrangers(topic, error);
      });
  }

  #failStrangers(topic: string, error: OperationError): void {
    const stranger = this.#strangers.get(topic);
    if (stranger === undefined) return;
    clearTimeout(stranger.timer);
    this.#strangers.delete(topic);
    for (const call of stranger.calls) if (!call.isSettled) this.#fail(call, error);
  }

  #onRoute(): void {
    const { route } = this.#link.routes;
    for (const [name, queues] of this.#topics) {
      const topic = route.topics.get(name);
      if (topic === queues.topic || (topic !== undefined && topic.groupIds.length === 0)) continue;
      // Deleted, or another one of the same name: what is under way is answered as such.
      if (topic?.topicId === queues.topic.topicId) queues.update(topic);
      else {
        this.#topics.delete(name);
        this.#identity.forget(queues.topic.topicId);
      }
    }
    for (const [name, { calls, timer }] of this.#strangers) {
      const queues = this.#topics.get(name) ?? this.#meet(name);
      if (queues === undefined) continue;
      clearTimeout(timer);
      this.#strangers.delete(name);
      for (const call of calls) if (!call.isSettled) this.#enqueue(queues, call);
    }
  }

  #heed(call: SendCall, signal: AbortSignal): void {
    if (signal.aborted) {
      call.fail(aborted("not-applied"));
      return;
    }
    call.signal = signal;
    call.onAbort = () => {
      this.#giveUp(call, aborted);
    };
    onceAborted(signal, call.onAbort);
  }

  /** Settles a call that was not answered; what is still here of it is not sent. */
  #giveUp(call: SendCall, errorOf: (outcome: "not-applied" | "unknown") => OperationError): void {
    const { batch } = call;
    const isSent = batch?.encoded !== undefined && (batch.liveCount > 1 || isOut(batch));
    this.#fail(call, errorOf(isSent ? "unknown" : "not-applied"));
    if (batch !== undefined) this.#senderOf(batch.outbox.groupId).leave(call, batch);
  }

  #timedOut(call: SendCall): (outcome: "not-applied" | "unknown") => OperationError {
    return (outcome) => {
      const groupId = call.batch?.outbox.groupId;
      const problem = groupId === undefined ? undefined : this.#senders.get(groupId)?.lastProblem;
      const passed = `${call.timeoutMs} ms have passed`;
      if (problem === undefined) return new OperationError("TIMEOUT", passed, { outcome });
      const { error: cause, by } = problem;
      const why = `${passed}; the last problem${by}: ${cause.code}: ${cause.message}`;
      return new OperationError("TIMEOUT", why, { outcome, cause });
    };
  }

  #fail(call: SendCall, error: OperationError): void {
    this.#onSettled(call);
    call.fail(error);
  }

  /** Once for each call, just before it is settled. */
  #onSettled(call: SendCall): void {
    this.#deadlines.remove(call);
    this.#liveCount -= 1;
    if (call.isAdmitted) this.#buffer.release(call.bytes);
    if (this.#buffer.hasWaiting) this.#admitWaiting();
    if (this.#liveCount === 0) this.#settled.ring();
  }

  #admitWaiting(): void {
    // Whoever is admitted and fails at once makes room again: the loop sees that.
    if (this.#isAdmitting) return;
    this.#isAdmitting = true;
    try {
      for (let call = this.#buffer.next(); call !== undefined; call = this.#buffer.next())
        this.#admit(call);
    } finally {
      this.#isAdmitting = false;
    }
  }

  async #close(): Promise<void> {
    // Every call has a deadline, so this ends.
    while (this.#liveCount > 0) await this.#settled.wait(CLOSE_LOOK_MS);
    for (const { timer } of this.#strangers.values()) clearTimeout(timer);
    await this.#creator.close();
    for (const sender of this.#senders.values()) sender.close();
    this.#deadlines.clear();
    await this.#link.close();
  }
}

/** It was sent, and may have been stored. */
function isOut(batch: OutgoingBatch): boolean {
  return batch.state === "under-way" || batch.isUncertain;
}

/** @throws OperationError `INVALID_ARGUMENT` */
function demandBatch(messages: unknown): asserts messages is readonly OutgoingMessage[] {
  const length = Array.isArray(messages) ? messages.length : -1;
  if (length >= 1 && length <= BATCH_RECORDS_MAX) return;
  throw invalid([{ field: "messages", problem: `not a list of [1, ${BATCH_RECORDS_MAX}]` }]);
}

/** @throws OperationError with the problems of all messages, `MESSAGE_TOO_LARGE` */
function batchBytes(messages: readonly OutgoingMessage[]): number {
  const problems: FieldProblem[] = [];
  const tags = new Set<string>();
  let keyCount = 0;
  let bytes = 0;
  for (const [i, message] of messages.entries()) {
    try {
      bytes += demandMessage(message);
      if (message.tag !== undefined) tags.add(message.tag);
      keyCount += message.keys?.length ?? 0;
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      for (const { field, problem } of error.problems)
        problems.push({ field: `messages[${i}].${field}`, problem });
    }
  }
  if (tags.size > TAGS_MAX)
    problems.push({ field: "messages", problem: `${tags.size} tags are more than ${TAGS_MAX}` });
  if (keyCount > BATCH_RECORDS_MAX)
    problems.push({ field: "messages", problem: `${keyCount} keys, above ${BATCH_RECORDS_MAX}` });
  if (problems.length > 0) throw invalid(problems);
  if (bytes <= MESSAGE_BYTES_MAX) return bytes;
  const problem = `${bytes} bytes in all, above ${MESSAGE_BYTES_MAX}`;
  throw new OperationError("MESSAGE_TOO_LARGE", problem, {
    problems: [{ field: "messages", problem }],
  });
}

function overloaded(bytesMax: number): OperationError {
  return new OperationError("OVERLOADED", `${bytesMax} bytes of messages are not settled yet`);
}

function closed(): OperationError {
  return new OperationError("CLOSED", "the producer is closed", { outcome: "not-applied" });
}

function ignore(): void {
  // Nobody waits.
}
