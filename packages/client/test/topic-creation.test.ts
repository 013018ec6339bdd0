// Goal: a producer that asks for topics gets them made, once, if brokers are set up for that.
// Method: real brokers, and producers that begin with the same topic at once.

import { expect, onTestFinished, test } from "vitest";
import { Admin, Producer, type ProducerOptions } from "../src/index.ts";
import { RealCluster } from "./kit/real-cluster.ts";

async function producerOf(
  { nameServers }: RealCluster,
  more: Partial<ProducerOptions> = {},
): Promise<Producer> {
  const timeoutMs = 20_000;
  const producer = await Producer.open({ nameServers, producerGroup: "shop", timeoutMs, ...more });
  onTestFinished(() => producer.close());
  return producer;
}

test("producers that begin at once publish to one topic", async () => {
  const cluster = await RealCluster.open({ autoCreateTopics: true });
  const options = { createsTopics: true };
  const producers = await Promise.all([1, 2, 3].map(() => producerOf(cluster, options)));

  const receipts = await Promise.all(
    producers.flatMap((producer) =>
      ["a", "b"].map((body) => producer.send("orders", { body: Buffer.from(body) })),
    ),
  );

  expect(receipts).toHaveLength(6);
  const admin = await Admin.open({ nameServers: cluster.nameServers });
  onTestFinished(() => admin.close());
  const { topics } = admin.cluster();
  expect(topics.map(({ name, groupIds }) => [name, groupIds.length])).toEqual([["orders", 4]]);
});

test("without being asked for, or where brokers make none, a topic stays unknown", async () => {
  const cluster = await RealCluster.open();
  const silent = await producerOf(cluster);
  const asking = await producerOf(cluster, { createsTopics: true });
  const message = { body: Buffer.from("x") };
  const unknown = { code: "UNKNOWN_TOPIC", outcome: "not-applied" };

  await expect(silent.send("orders", message)).rejects.toMatchObject(unknown);
  await expect(asking.send("orders", message)).rejects.toMatchObject(unknown);
});
