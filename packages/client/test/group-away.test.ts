// Goal: a broker group that is away costs the queues of the others nothing.
// Method: consumers against two small broker groups on real ports, one of which is gone.

import { expect, onTestFinished, test } from "vitest";
import { Admin, PullConsumer, PushConsumer, type PushConsumerOptions } from "../src/index.ts";
import { SmallCluster } from "./kit/small-cluster.ts";

const ORDERS = { name: "orders", topicId: 7, groupIds: [1, 2, 1, 2] };
/** Of the group that stays alone. */
const NEAR = { name: "near", topicId: 8, groupIds: [1, 1] };

async function consumerOf(
  cluster: SmallCluster,
  options: Partial<PushConsumerOptions>,
): Promise<PushConsumer> {
  const consumer = await PushConsumer.open({
    nameServers: [cluster.nameServer.address],
    consumerGroup: "billing",
    subscriptions: { orders: "*" },
    closeTimeoutMs: 100,
    ...options,
  });
  onTestFinished(() => consumer.close());
  return consumer;
}

async function publish(cluster: SmallCluster, from: number, to: number): Promise<void> {
  const producer = await cluster.producer({
    queueSelector: ({ body }) => 2 * (Number(body) % 2),
  });
  for (let i = from; i < to; i++) await producer.send("orders", { body: String(i) });
}

async function loseSecondGroup(cluster: SmallCluster): Promise<void> {
  for (const nodeId of [11, 12, 13]) await cluster.groups[1]?.kill(nodeId);
}

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 20_000, interval: 5 }).toBe(true);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("a member that comes gets the queues of the group that is there", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  await publish(cluster, 0, 20);
  await loseSecondGroup(cluster);
  let count = 0;
  const consumer = await consumerOf(cluster, {
    listener: () => {
      count += 1;
    },
  });
  await until(() => count === 20);
  await consumer.close();

  expect(cluster.first.offsets.committed("billing", 7, 0)).toBe(10);
  expect(cluster.first.offsets.committed("billing", 7, 2)).toBe(10);
});

test("whoever reads a topic of the group that is there asks nothing of the other one", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS, NEAR]);
  const nameServers = [cluster.nameServer.address];
  const producer = await cluster.producer();
  for (let i = 0; i < 20; i++) await producer.send("near", { body: String(i) });
  await loseSecondGroup(cluster);
  // As `quorumlog consume` does, alone and in a group.
  await using admin = await Admin.open({ nameServers });
  const ends = await admin.queueOffsets({ topic: "near", place: "latest" });
  await using consumer = await PullConsumer.open({ nameServers, startFrom: "earliest" });
  await consumer.assign(consumer.queuesOf("near"));
  let pulled = 0;
  while (pulled < 20) pulled += (await consumer.poll({ timeoutMs: 20_000 })).length;
  let pushed = 0;
  await consumerOf(cluster, {
    subscriptions: { near: "*" },
    startFrom: "earliest",
    listener: () => {
      pushed += 1;
    },
  });

  await until(() => pushed === 20);
  expect(ends.reduce((sum, end) => sum + end, 0)).toBe(20);
});

test("orderly: leases of the other group's queues are renewed", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  let count = 0;
  const claimed = new Set<number>();
  await consumerOf(cluster, {
    order: "orderly",
    sessionTimeoutMs: 6_000,
    onEvent: (event) => {
      if (event.type === "assigned") for (const { queue } of event.queues) claimed.add(queue);
    },
    listener: () => {
      count += 1;
    },
  });
  await until(() => claimed.size === 4);
  await loseSecondGroup(cluster);
  // Longer than a lease is, and than an attempt to reach the other group takes.
  await pause(13_000);
  await publish(cluster, 0, 20);
  await until(() => count === 20);
}, 60_000);
