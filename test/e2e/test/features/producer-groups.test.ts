// Goal: an operator sees who publishes to a topic: groups that were noted in the logs, and
// producers that are there.
// Method: producers of two groups, one of which is closed; the leaders of both broker groups are
// killed meanwhile.

import { expect, test } from "vitest";
import { producerOf, queueOfKey } from "../kit/clients.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";

const clusterOf = clusterOfFile();

test("producer groups are told with their topics and whoever is there", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "invoices", queueCount: 4 });
  const queueSelector = queueOfKey;
  const shop = await producerOf(cluster, {
    producerGroup: "shops",
    clientId: "shop",
    queueSelector,
  });
  const till = await producerOf(cluster, {
    producerGroup: "tills",
    clientId: "till",
    queueSelector,
  });
  const toAll = async (producer: typeof shop): Promise<void> => {
    for (const queue of ["0", "1", "2", "3"])
      await producer.send("invoices", { body: "x", keys: [queue] });
  };
  await Promise.all([toAll(shop), toAll(till)]);
  const before = await cluster.until("both groups are in the log", async () => {
    const { groups } = await admin.listProducers({ topic: "invoices" });
    const isNoted = groups.every(({ topics }) => topics[0]?.seen !== undefined);
    return groups.length === 2 && isNoted ? groups : undefined;
  });
  expect(before.map(({ producers }) => producers.map(({ clientId }) => clientId))).toEqual([
    ["shop"],
    ["till"],
  ]);
  // One to the leader of each broker group.
  expect(before[0]?.producers[0]?.addresses).toHaveLength(2);

  await till.close();
  await cluster.failOver();
  await toAll(shop);

  const after = await cluster.until("the closed one is not there", async () => {
    const { groups } = await admin.listProducers();
    return groups.find((each) => each.producerGroup === "tills")?.producers.length === 0
      ? groups
      : undefined;
  });
  expect(after.find((each) => each.producerGroup === "tills")?.topics).toMatchObject([
    { topic: "invoices", since: before[1]?.topics[0]?.since },
  ]);
  expect(after.find((each) => each.producerGroup === "shops")?.producers).toMatchObject([
    { clientId: "shop", topics: ["invoices"] },
  ]);
});
