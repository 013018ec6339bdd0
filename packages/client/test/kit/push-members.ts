/** Members of one consumer group, and what is published to them. */

import { expect, onTestFinished } from "vitest";
import { PushConsumer, type PushConsumerOptions } from "../../src/index.ts";
import type { SmallCluster } from "./small-cluster.ts";

/** Closed when the test is over. */
export async function consumerOf(
  cluster: SmallCluster,
  options: Partial<PushConsumerOptions> = {},
): Promise<PushConsumer> {
  const consumer = await PushConsumer.open({
    nameServers: [cluster.nameServer.address],
    consumerGroup: "billing",
    subscriptions: { orders: "*" },
    retryMs: 5,
    closeTimeoutMs: 500,
    ...options,
  });
  onTestFinished(() => consumer.close());
  return consumer;
}

/** Publishes numbers, each in the group of its remainder. */
export async function publish(cluster: SmallCluster, from: number, to: number): Promise<void> {
  const producer = await cluster.producer({ timeoutMs: 20_000 });
  const sends: Promise<unknown>[] = [];
  for (let i = from; i < to; i++)
    sends.push(producer.send("orders", { body: String(i), messageGroup: `g${i % 10}` }));
  await Promise.all(sends);
}

export async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 20_000, interval: 5 }).toBe(true);
}
