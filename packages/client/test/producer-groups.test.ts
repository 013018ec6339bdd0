// Goal: an admin sees which producer groups publish to what, and who of them is there.
// Method: producers of a real broker group of three, whose leader is killed.

import { setTimeout as pause } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { Admin, Producer, type ProducerGroup } from "../src/index.ts";
import { RealCluster } from "./kit/real-cluster.ts";

const SEND_MS = 60_000;

async function until(
  admin: Admin,
  isSo: (groups: readonly ProducerGroup[]) => boolean,
): Promise<readonly ProducerGroup[]> {
  for (;;) {
    const { groups } = await admin.listProducers({ timeoutMs: SEND_MS });
    if (isSo(groups)) return groups;
    await pause(50);
  }
}

test("groups, their topics and producers are told, also after the leader has died", async () => {
  const cluster = await RealCluster.open();
  const { nameServers } = cluster;
  const admin = await Admin.open({ nameServers });
  onTestFinished(() => admin.close());
  for (const name of ["orders", "returns"]) await admin.createTopic({ name });
  const opened = async (producerGroup: string, clientId?: string): Promise<Producer> => {
    const named = clientId === undefined ? {} : { clientId };
    const init = { nameServers, producerGroup, timeoutMs: SEND_MS, ...named };
    const producer = await Producer.open(init);
    onTestFinished(() => producer.close());
    return producer;
  };
  const shop = await opened("shops", "shop-1");
  const stock = await opened("stock");
  await shop.send("orders", { body: "a" });
  await shop.send("returns", { body: "b" });
  await stock.send("orders", { body: "c" });

  const groups = await until(admin, (now) =>
    now.every(({ topics }) => topics.every(({ seen }) => seen !== undefined)),
  );
  expect(groups).toMatchObject([
    {
      producerGroup: "shops",
      topics: [{ topic: "orders" }, { topic: "returns" }],
      producers: [{ clientId: "shop-1", topics: ["orders", "returns"] }],
    },
    { producerGroup: "stock", topics: [{ topic: "orders" }] },
  ]);
  const [own] = groups[1]?.producers ?? [];
  expect(own?.clientId).toContain(`@${process.pid}@`);
  const { groups: some } = await admin.listProducers({ topic: "returns" });
  expect(some.map(({ producerGroup }) => producerGroup)).toEqual(["shops"]);
  await expect(admin.listProducers({ topic: "nothing" })).rejects.toMatchObject({
    code: "UNKNOWN_TOPIC",
  });

  await cluster.kill(await cluster.leaderId());
  await cluster.leaderId();
  const [later] = await until(admin, (now) => now[0]?.producers.length === 0);
  expect(later?.topics.map(({ topic }) => topic)).toEqual(["orders", "returns"]);
  await shop.send("orders", { body: "d" });
  // On a stream that is new, everything is said again.
  const [again] = await until(admin, (now) => now[0]?.producers.length === 1);
  expect(again?.producers).toMatchObject([{ clientId: "shop-1", topics: ["orders", "returns"] }]);
}, 180_000);
