// Goal: a broker group that is added while producers and consumers run is used by them.
// Method: a producer that does not stop, and a consumer group; a third group; leaders are killed.

import { PushConsumer } from "@quorumlog/client";
import { expect, onTestFinished, test } from "vitest";
import { inOrder, producerOf, range } from "../kit/clients.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";

const clusterOf = clusterOfFile();

test("a group that is added takes queues of topics, and nobody is started again", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "growing", queueCount: 4 });
  const consumed = new Set<string>();
  const consumer = await PushConsumer.open({
    nameServers: cluster.nameServers,
    consumerGroup: "readers",
    subscriptions: { growing: "*" },
    startFrom: "earliest",
    listener: (message) => {
      consumed.add(message.text());
    },
  });
  onTestFinished(() => consumer.close());
  const producer = await producerOf(cluster);
  const stored: string[] = [];
  const queues = new Set<number>();
  const over = new AbortController();
  const publishing = (async () => {
    for (let i = 0; !over.signal.aborted; i++) {
      const { queue } = await producer.send("growing", { body: String(i) });
      stored.push(String(i));
      queues.add(queue);
    }
  })();

  const groupId = await cluster.addGroup();
  const { groupIds } = await admin.alterTopic({ name: "growing", queueCount: 12 });
  const other = await admin.createTopic({ name: "grown", queueCount: 6 });
  await cluster.failOver();
  await cluster.until("the producer uses all queues", () =>
    queues.size === 12 ? true : undefined,
  );
  over.abort();
  await publishing;

  expect(inOrder(other.groupIds)).toEqual([1, 1, 2, 2, groupId, groupId]);
  expect(groupIds.slice(0, 4)).not.toContain(groupId);
  expect(groupIds.filter((each) => each === groupId).length).toBeGreaterThan(1);
  await cluster.until("everything is consumed", () =>
    stored.every((text) => consumed.has(text)) ? true : undefined,
  );
  expect(range(stored.length).map(String)).toEqual(stored);
});
