// Goal: a backlog is read from followers, in order and whole, and its end from the leader.
// Method: more than leaders keep in memory, in both groups; a leader of each dies meanwhile.

import { expect, test } from "vitest";
import { producerOf, pullConsumerOf, queueOfKey, range, take } from "../kit/clients.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";
import type { ProcessCluster } from "../../src/kit/process-cluster.ts";

const BODY_BYTES = 65_536;
/** Of a group: 32 MiB are in its leader's memory. */
const COUNT = 800;

const clusterOf = clusterOfFile({ brokerSettings: { followerReadBytes: 1_048_576 } });

/** Sent to fetches by nodes that do not lead. */
async function readFromFollowers(cluster: ProcessCluster): Promise<number> {
  let count = 0;
  for (const groupId of cluster.groupIds)
    for (const nodeId of cluster.nodeIdsOf(groupId)) {
      const status = await cluster.statusOf(nodeId);
      if (status !== undefined && status.role !== "leader") count += status.messagesOut;
    }
  return count;
}

test("a backlog is read from followers, and nothing is lost when they or leaders die", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  const { groupIds } = await admin.createTopic({ name: "backlog", queueCount: 2 });
  expect(new Set(groupIds).size).toBe(2);
  const producer = await producerOf(cluster, { queueSelector: queueOfKey });
  const body = Buffer.alloc(BODY_BYTES, "x");
  for (let sent = 0; sent < 2 * COUNT; sent += 100)
    await Promise.all(
      range(100).map((i) =>
        producer.send("backlog", { body, keys: [String(i % 2), String(sent + i)] }),
      ),
    );
  const consumer = await pullConsumerOf(cluster);
  const places = consumer.queuesOf("backlog");
  await consumer.assign(places);
  for (const place of places) await consumer.seek(place, "earliest");

  const first = await take(consumer, 100);
  const before = await readFromFollowers(cluster);
  await cluster.failOver();
  const rest = await take(consumer, 2 * COUNT - first.length);

  expect(before).toBeGreaterThan(0);
  for (const { queue } of places) {
    const own = [...first, ...rest].filter((message) => message.queue === queue);
    expect(own.map(({ offset }) => offset)).toEqual(range(COUNT));
  }
});
