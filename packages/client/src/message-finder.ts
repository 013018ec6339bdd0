/** Finds stored messages by their ids, by their keys, and by when they were stored. */

import { BROKER_SERVICE, batchMessages, OperationError, RecordError } from "@quorumlog/protocol";
import type { QueueBatches } from "@quorumlog/protocol/messages";
import type { ClusterLink } from "./cluster-link.ts";
import type { TopicRoute } from "./cluster-route.ts";
import { ConsumedMessage } from "./consumed-message.ts";
import { FetchedQueue } from "./fetched-queue.ts";
import { Fetcher } from "./fetcher.ts";
import type { WaitOptions } from "./waiting.ts";

/** Stored in `[from, to)`, milliseconds since 1970. */
export interface TimeRange {
  readonly from?: number;
  readonly to?: number;
}

export interface FindOptions extends TimeRange, WaitOptions {
  /** In `[1, 1000]`; default 32. */
  readonly maxMessages?: number;
}

const MESSAGES = 32;
const TIMEOUT_MS = 10_000;
const BYTES_MAX = 16 * 1024 * 1024;

export class MessageFinder {
  readonly #link: ClusterLink;

  constructor(link: ClusterLink) {
    this.#link = link;
  }

  /** @returns `undefined` if there is none, or none any more. */
  async byId(
    topic: TopicRoute,
    { queue, offset }: { readonly queue: number; readonly offset: number },
    wait: WaitOptions,
  ): Promise<ConsumedMessage | undefined> {
    if (queue >= topic.groupIds.length) return undefined;
    const read = { from: offset, to: offset + 1, maxMessages: 1 };
    const [message] = await this.#read(new FetchedQueue(topic, queue, []), read, wait);
    return message;
  }

  /** @returns those of all queues, in the order of their time. */
  async byTime(topic: TopicRoute, options: FindOptions): Promise<ConsumedMessage[]> {
    const { from = 0, to, maxMessages = MESSAGES } = options;
    const found = await Promise.all(
      topic.groupIds.map((_, queue) => {
        const read = {
          from: { timestamp: from },
          to: to === undefined ? ("latest" as const) : { timestamp: to },
          maxMessages,
        };
        // What nobody can decode is in nobody's way who looks for something else.
        const queued = new FetchedQueue(topic, queue, [], { policy: "skip" });
        return this.#read(queued, read, options);
      }),
    );
    return inTime(found.flat()).slice(0, maxMessages);
  }

  /** @returns those that have the key, in the order of their time. */
  async byKey(
    topic: TopicRoute,
    key: string,
    options: FindOptions,
  ): Promise<{ readonly messages: ConsumedMessage[]; readonly isTruncated: boolean }> {
    const { from = 0, to = 0, maxMessages: countMax = MESSAGES } = options;
    const { topicId } = topic;
    const request = { topicId, key, fromMs: from, toMs: to, countMax };
    const replies = await Promise.all(
      [...new Set(topic.groupIds)].map((groupId) =>
        this.#link.callLeader(
          { seeker: this.#link.seeker(groupId), isRepeatable: true, ...options },
          BROKER_SERVICE.queryByKey,
          request,
        ),
      ),
    );
    const messages = replies.flatMap(({ queues }) =>
      queues.flatMap((queue) => messagesOf(topic, queue)),
    );
    const own = inTime(messages.filter(({ keys }) => keys.includes(key)));
    const isTruncated = own.length > countMax || replies.some((reply) => reply.isTruncated);
    return { messages: own.slice(0, countMax), isTruncated };
  }

  async #read(
    queue: FetchedQueue,
    range: {
      readonly from: number | { readonly timestamp: number };
      readonly to: number | "latest" | { readonly timestamp: number };
      readonly maxMessages: number;
    },
    wait: WaitOptions,
  ): Promise<ConsumedMessage[]> {
    const { signal, timeoutMs = TIMEOUT_MS } = wait;
    const deadline = performance.now() + timeoutMs;
    const fetcher = new Fetcher({ link: this.#link, bytesMax: BYTES_MAX, onOutOfRange: "fail" });
    try {
      const [first, end, from, to] = await Promise.all([
        fetcher.offsetOf(queue, "earliest", wait),
        fetcher.offsetOf(queue, "latest", wait),
        fetcher.offsetOf(queue, range.from, wait),
        fetcher.offsetOf(queue, range.to, wait),
      ]);
      const messages: ConsumedMessage[] = [];
      const last = Math.min(to, end);
      // What was trimmed meanwhile is not there to be found.
      if (typeof range.from === "number" && from < first) return messages;
      queue.seek(Math.max(from, first));
      fetcher.add(queue);
      while (queue.position < last && messages.length < range.maxMessages) {
        const taken = fetcher.take(range.maxMessages - messages.length);
        messages.push(...taken.filter(({ offset }) => offset < last));
        const left = deadline - performance.now();
        if (left <= 0) throw new OperationError("TIMEOUT", "not everything was read in time");
        if (taken.length === 0) await fetcher.news.wait(left, signal);
      }
      return messages;
    } finally {
      await fetcher.close();
    }
  }
}

function messagesOf(topic: TopicRoute, told: QueueBatches.$Properties): ConsumedMessage[] {
  const source = { topic: topic.name, topicId: topic.topicId, queue: told.queue ?? 0 };
  return (told.batches ?? []).flatMap((stored) => {
    const bytes = stored.batch ?? new Uint8Array();
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    try {
      const messages = [...batchMessages(view, 0, () => undefined)];
      return messages.map((each) => new ConsumedMessage(source, stored, each));
    } catch (cause) {
      if (!(cause instanceof RecordError)) throw cause;
      // Whatever its keys are: nobody can decode the batch.
      if (!cause.isDamage) return [];
      const where = `${topic.name}, queue ${source.queue}, offset ${stored.baseOffset ?? 0}`;
      throw new OperationError("INVALID_BATCH", `${where}: ${cause.message}`, { cause });
    }
  });
}

function inTime(messages: ConsumedMessage[]): ConsumedMessage[] {
  return messages.toSorted(
    (a, b) => a.storeTimestamp - b.storeTimestamp || a.queue - b.queue || a.offset - b.offset,
  );
}
