/** Messages of a topic to a command's output, until it has what was wished for. */

import {
  type ClusterOptions,
  type ConsumedMessage,
  PullConsumer,
  type PullConsumerEvent,
  PushConsumer,
  type PushConsumerEvent,
  type UndecodablePolicy,
} from "@quorumlog/client";
import { OperationError } from "@quorumlog/protocol";

export interface Wish {
  readonly cluster: ClusterOptions;
  readonly topic: string;
  /** As in `a || b`. */
  readonly tags: string;
  readonly onUndecodable: UndecodablePolicy;
  readonly from: "earliest" | "latest" | { readonly timestamp: number };
  /** It is over after so many, */
  readonly countMax: number;
  /** or when nothing came for so long, in milliseconds, */
  readonly idleMs: number;
  /** or when each queue is read up to here: what comes behind is not wished for. */
  readonly ends: readonly number[] | undefined;
  /** Returns when there is room for more. */
  readonly write: (messages: readonly ConsumedMessage[]) => Promise<void>;
  readonly signal: AbortSignal;
}

const POLL_MS = 500;
const BATCH_MAX = 1_000;

/** Commits nothing, and is in nobody's way. */
export async function consumeAlone(wish: Wish): Promise<void> {
  const { cluster, topic, tags, from, countMax, idleMs, ends, onUndecodable, signal } = wish;
  await using consumer = await PullConsumer.open({
    ...cluster,
    startFrom: from === "latest" ? "latest" : "earliest",
    onUndecodable,
    onEvent: (event) => {
      tellSkipped(event);
      tellRetry(event);
    },
    signal,
  });
  const queues = consumer.queuesOf(topic);
  await consumer.assign(
    queues.map((queue) => ({ ...queue, tags })),
    { signal },
  );
  if (typeof from === "object")
    await Promise.all(queues.map((queue) => consumer.seek(queue, from, { signal })));
  const isAtEnd = (): boolean =>
    ends !== undefined && queues.every((queue, i) => consumer.position(queue) >= (ends[i] ?? 0));
  let count = 0;
  let lastAt = performance.now();
  while (count < countMax && !signal.aborted && !isAtEnd()) {
    const maxMessages = Math.min(BATCH_MAX, countMax - count);
    const messages = await pollUntil(consumer, { maxMessages, signal });
    const wished = messages.filter(({ queue, offset }) => offset < (ends?.[queue] ?? Infinity));
    await wish.write(wished);
    count += wished.length;
    if (messages.length > 0) lastAt = performance.now();
    else if (performance.now() - lastAt >= idleMs) break;
  }
}

/** Of a queue that has stopped, the poll says so. */
function tellSkipped(event: PullConsumerEvent): void {
  if (event.type === "undecodable" && event.isSkipped)
    console.error(`quorumlog: skipped: ${event.error.message}`);
}

/** Of what is tried again until it succeeds. @returns whether it is such an event */
function tellRetry(event: PullConsumerEvent | PushConsumerEvent): boolean {
  if (event.type !== "retrying" && event.type !== "recovered") return false;
  const { work, groupId } = event;
  const what = groupId === undefined ? work : `${work}, broker group ${groupId}`;
  if (event.type === "recovered")
    console.error(`quorumlog: ${what}: goes on after ${event.afterMs} ms`);
  else
    console.error(`quorumlog: ${what}: tried again: ${event.error.code}: ${event.error.message}`);
  return true;
}

/** @returns nothing if it is interrupted */
async function pollUntil(
  consumer: PullConsumer,
  options: { readonly maxMessages: number; readonly signal: AbortSignal },
): Promise<ConsumedMessage[]> {
  try {
    return await consumer.poll({ ...options, timeoutMs: POLL_MS });
  } catch (error) {
    if (error instanceof OperationError && options.signal.aborted) return [];
    throw error;
  }
}

/** What was printed is committed when it ends. */
export async function consumeInGroup(wish: Wish, consumerGroup: string): Promise<void> {
  const { cluster, topic, tags, from, countMax, idleMs, onUndecodable, signal } = wish;
  await using consumer = await PushConsumer.open({
    ...cluster,
    consumerGroup,
    subscriptions: { [topic]: tags },
    startFrom: from === "latest" ? "latest" : "earliest",
    onUndecodable,
    onEvent: (event) => {
      if (tellRetry(event)) return;
      if ("error" in event && event.error instanceof Error)
        console.error(`quorumlog: ${event.type}: ${event.error.message}`);
    },
    signal,
  });
  // It has finished what it has by then: whoever iterates asks for the next one first.
  const end = (): void => {
    setImmediate(() => {
      // Idempotent: what goes wrong is told where it is awaited, at the end of this block.
      consumer.close().catch(() => undefined);
    });
  };
  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });
  let idle = idleTimer(idleMs, end);
  let count = 0;
  for await (const message of consumer) {
    if (count >= countMax) break;
    clearTimeout(idle);
    await wish.write([message]);
    count += 1;
    if (count >= countMax) end();
    idle = idleTimer(idleMs, end);
  }
  clearTimeout(idle);
}

function idleTimer(idleMs: number, end: () => void): NodeJS.Timeout | undefined {
  return Number.isFinite(idleMs) ? setTimeout(end, idleMs) : undefined;
}
