// Goal: a container has no more batches than brokers take, however many queues are published to.
// Method: more queues than that, a message to each of them at once, and a small broker on a real
// port that notes how many batches come together.

import { CONTAINER_BATCHES_MAX } from "@quorumlog/protocol";
import { expect, test } from "vitest";
import { SmallCluster } from "./kit/small-cluster.ts";

const QUEUES = Array.from({ length: 1_000 }, () => 1);
const TOPICS = Array.from({ length: 5 }, (_, i) => {
  return { name: `topic-${i}`, topicId: i + 1, groupIds: QUEUES };
});

function queueSelector({ body }: { readonly body: Uint8Array | string }): number {
  return Number(body);
}

test("a message to each of many queues goes in as few containers as brokers take", async () => {
  const cluster = await SmallCluster.open(1, TOPICS);
  const producer = await cluster.producer({ queueSelector, timeoutMs: 30_000 });
  // The topics are known by then.
  for (const { name } of TOPICS) await producer.send(name, { body: "0" });
  cluster.first.containers.length = 0;

  const receipts = await Promise.all(
    TOPICS.flatMap(({ name }) =>
      QUEUES.map((_, queue) => producer.send(name, { body: `${queue}` })),
    ),
  );

  expect(new Set(receipts.map(({ messageId }) => messageId)).size).toBe(5_000);
  const { containers } = cluster.first;
  expect(Math.max(...containers)).toBe(CONTAINER_BATCHES_MAX);
  expect(containers.reduce((sum, count) => sum + count, 0)).toBe(5_000);
}, 60_000);
