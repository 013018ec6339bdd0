/** Clients of one test: patient with a machine that is busy, and closed when the test is over. */

import {
  type ConsumedMessage,
  Producer,
  type ProducerOptions,
  PullConsumer,
  type PullConsumerOptions,
  type QueueAssignment,
  type SendReceipt,
} from "@quorumlog/client";
import { onTestFinished } from "vitest";
import type { ProcessCluster } from "../../src/kit/process-cluster.ts";

/** A leader is killed, another one is elected, and the machine has other things to do. */
const SEND_MS = 60_000;
const IDLE_MS = 30_000;

export async function producerOf(
  { nameServers }: ProcessCluster,
  options: Partial<ProducerOptions> = {},
): Promise<Producer> {
  const producer = await Producer.open({
    nameServers,
    producerGroup: "test",
    timeoutMs: SEND_MS,
    ...options,
  });
  onTestFinished(() => producer.close());
  return producer;
}

export async function pullConsumerOf(
  { nameServers }: ProcessCluster,
  options: Partial<PullConsumerOptions> = {},
): Promise<PullConsumer> {
  const consumer = await PullConsumer.open({ nameServers, ...options });
  onTestFinished(() => consumer.close());
  return consumer;
}

/** A producer whose messages go to the queue that their first key names. */
export function queueOfKey({ keys }: { readonly keys?: readonly string[] }): number {
  return Number(keys?.[0] ?? 0);
}

/** One message to each queue of a topic, with the queue's number as its body. */
export async function sendToEachQueue(
  cluster: ProcessCluster,
  topic: string,
  queueCount: number,
): Promise<readonly SendReceipt[]> {
  const producer = await producerOf(cluster, { queueSelector: queueOfKey });
  return Promise.all(
    range(queueCount).map((queue) =>
      producer.send(topic, { body: String(queue), keys: [String(queue)] }),
    ),
  );
}

/**
 * Reads queues from their beginning.
 *
 * @param queues - Default: all of the topic.
 * @returns so many messages, or fewer if nothing more comes.
 */
export async function readTopic(
  cluster: ProcessCluster,
  topic: string,
  count: number,
  queues?: readonly QueueAssignment[],
): Promise<ConsumedMessage[]> {
  await using consumer = await PullConsumer.open({ nameServers: cluster.nameServers });
  await consumer.assign(queues ?? consumer.queuesOf(topic));
  return await take(consumer, count);
}

export async function take(consumer: PullConsumer, count: number): Promise<ConsumedMessage[]> {
  const messages: ConsumedMessage[] = [];
  while (messages.length < count) {
    const more = await consumer.poll({ maxMessages: count, timeoutMs: IDLE_MS });
    if (more.length === 0) break;
    messages.push(...more);
  }
  return messages;
}

export function textsOf(messages: readonly ConsumedMessage[]): string[] {
  return messages.map((message) => message.text());
}

/** Of `count` numbers from 0. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

export function inOrder(numbers: readonly number[]): number[] {
  return numbers.toSorted((a, b) => a - b);
}

/** @returns the code that the call is refused with. @throws whatever else comes of it. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return codeIn(error);
  }
  throw new Error("it was not refused");
}

/** @throws an error that has none. */
export function codeIn(error: unknown): string {
  if (error instanceof Error && "code" in error) return String(error.code);
  throw error;
}
