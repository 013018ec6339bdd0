// Goal: a queue that is lost, reset or claimed anew costs no message, and no process.
// Method: members against small brokers and a coordinator on real ports, which fence them.

import { expect, onTestFinished, test } from "vitest";
import { PushConsumer, type PushConsumerOptions } from "../src/index.ts";
import { SmallCluster } from "./kit/small-cluster.ts";

const ORDERS = { name: "orders", topicId: 7, groupIds: [1, 1, 1, 1] };

async function consumerOf(
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

async function publish(cluster: SmallCluster, from: number, to: number): Promise<void> {
  const producer = await cluster.producer({ timeoutMs: 20_000 });
  const sends: Promise<unknown>[] = [];
  for (let i = from; i < to; i++)
    sends.push(producer.send("orders", { body: String(i), messageGroup: `g${i % 10}` }));
  await Promise.all(sends);
}

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 20_000, interval: 5 }).toBe(true);
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const sorted = (numbers: Iterable<number>): number[] => [...numbers].toSorted((a, b) => a - b);

test("orderly: all queues are fenced at once, claimed anew, and consumed on", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const seen: number[] = [];
  await consumerOf(cluster, {
    order: "orderly",
    listener: (message) => void seen.push(Number(message.text())),
  });
  await publish(cluster, 0, 100);
  await until(() => seen.length === 100);
  for (const round of [1, 2, 3]) {
    for (const queue of range(4)) cluster.first.offsets.fence("billing", 7, queue);
    await publish(cluster, round * 100, (round + 1) * 100);
    await until(() => new Set(seen).size === (round + 1) * 100);
  }

  expect(sorted(new Set(seen))).toEqual(range(400));
});

test("what was not finished as its queue was lost is not passed over", async () => {
  const cluster = await SmallCluster.open(1, [{ ...ORDERS, groupIds: [1] }]);
  await publish(cluster, 0, 10);
  const events: string[] = [];
  let started = 0;
  const first = await consumerOf(cluster, {
    attemptsMax: 1,
    closeTimeoutMs: 50,
    onEvent: ({ type }) => events.push(type),
    listener: (_, { signal }) => {
      started += 1;
      return new Promise((__, reject) => {
        signal.addEventListener("abort", () => {
          reject(new Error("aborted"));
        });
      });
    },
  });
  await until(() => started === 10);
  await first.close();
  const iterated = await consumerOf(cluster, { attemptsMax: 1 });
  for await (const message of iterated) if (Number(message.text()) === 4) break;
  await iterated.close();

  expect(events).not.toContain("given-up");
  expect(cluster.first.offsets.committed("billing", 7, 0)).toBe(4);
});
