// Goal: what an admin changes is so everywhere, and what it is shown is so.
// Method: against a broker group of three and a NameServer; by key against a small broker.

import { expect, onTestFinished, test } from "vitest";
import { Admin, Producer, PullConsumer, PushConsumer } from "../src/index.ts";
import { RealCluster } from "./kit/real-cluster.ts";
import { SmallCluster } from "./kit/small-cluster.ts";

const PATIENT = { timeoutMs: 60_000 };

async function adminOf(nameServers: readonly string[]): Promise<Admin> {
  const admin = await Admin.open({ nameServers });
  onTestFinished(() => admin.close());
  return admin;
}

async function producerOf(cluster: RealCluster): Promise<Producer> {
  const { nameServers } = cluster;
  const producer = await Producer.open({ nameServers, producerGroup: "tests" });
  onTestFinished(() => producer.close());
  return producer;
}

test("topics are made, changed and deleted; configuration is kept", async () => {
  const cluster = await RealCluster.open();
  const admin = await adminOf(cluster.nameServers);

  const made = await admin.createTopic({ name: "orders", queueCount: 2 });
  await expect(admin.createTopic({ name: "orders", queueCount: 3 })).rejects.toMatchObject({
    code: "TOPIC_EXISTS",
    outcome: "not-applied",
  });
  const altered = await admin.alterTopic({ name: "orders", queueCount: 4, isWritable: false });
  await admin.createTopic({ name: "steps", type: "fifo", isIdempotent: true });
  await admin.createTopic({ name: "steps", type: "fifo", isIdempotent: true });
  await admin.putConfiguration({ namespace: "shop", key: "colour", value: "red" });
  await admin.deleteTopic("steps");
  await expect(admin.deleteTopic("steps")).rejects.toMatchObject({ code: "UNKNOWN_TOPIC" });

  expect(made).toMatchObject({ name: "orders", groupIds: [1, 1], isWritable: true });
  expect(altered).toMatchObject({ topicId: made.topicId, isWritable: false });
  await expect.poll(() => admin.cluster().topics.map(({ name }) => name)).toEqual(["orders"]);
  expect(admin.cluster()).toMatchObject({
    clusterId: "test",
    groups: [{ groupId: 1, name: "broker-a" }],
    configuration: [{ namespace: "shop", key: "colour", value: "red" }],
  });
});

test("nodes tell how they are, and leadership goes where it is sent", async () => {
  const cluster = await RealCluster.open();
  const admin = await adminOf(cluster.nameServers);
  await expect.poll(() => admin.cluster().groups[0]?.addresses.size).toBe(3);
  const leaderId = await cluster.leaderId();
  const nodeId = (leaderId % 3) + 1;

  await admin.transferLeadership({ groupId: 1, nodeId });
  await expect.poll(() => admin.cluster().groups[0]?.leaderNodeId).toBe(nodeId);
  const status = await admin.nodeStatus({ groupId: 1, nodeId });

  expect(status).toMatchObject({ clusterId: "test", nodeId, role: "leader", leaderNodeId: nodeId });
  await expect(admin.nodeStatus({ groupId: 1, nodeId: 9 })).rejects.toMatchObject({
    code: "UNAVAILABLE",
  });
});

test("messages are found by id and by time", async () => {
  const cluster = await RealCluster.open();
  const admin = await adminOf(cluster.nameServers);
  await admin.createTopic({ name: "orders", queueCount: 2 });
  const producer = await producerOf(cluster);
  const ids: (string | undefined)[] = [];
  for (let i = 0; i < 10; i++)
    ids.push((await producer.send("orders", { body: String(i) })).messageId);

  const third = await admin.messageById(ids[3] ?? "");
  const all = await admin.messagesByTime("orders");
  const none = await admin.messagesByTime("orders", { from: Date.now() + 60_000 });

  expect(third?.text()).toBe("3");
  expect(all.map((message) => message.text()).toSorted()).toEqual(ids.map((_, i) => String(i)));
  expect(none).toEqual([]);
  expect(await admin.messageById("1-0-1000000")).toBeUndefined();
  await expect(admin.messageById("x")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("messages are found by key: the key itself decides", async () => {
  const cluster = await SmallCluster.open(1, [{ name: "orders", topicId: 7, groupIds: [1] }]);
  const producer = await cluster.producer();
  for (const key of ["a", "b", "a"]) await producer.send("orders", { body: key, keys: [key, "z"] });
  const admin = await adminOf([cluster.nameServer.address]);

  const { messages, isTruncated } = await admin.messagesByKey("orders", "a");

  expect(messages.map(({ offset }) => offset)).toEqual([0, 2]);
  expect(isTruncated).toBe(false);
});

test("a group with more offsets than a page has is shown whole", async () => {
  const cluster = await RealCluster.open();
  const admin = await adminOf(cluster.nameServers);
  for (const topic of ["a", "b"]) {
    await admin.createTopic({ name: topic, queueCount: 1_024 });
    // A call for each queue, which is much for a machine that is busy.
    await admin.resetOffsets({ group: "billing", topic, place: "earliest" }, PATIENT);
  }

  const offsets = await admin.groupOffsets("billing", PATIENT);

  const places = offsets.map(({ topic, queue }) => `${topic}/${queue}`);
  expect(new Set(places).size).toBe(2_048);
  expect(places.length).toBe(2_048);
}, 180_000);

test("a group's offsets are shown, and moved while it has no members", async () => {
  const cluster = await RealCluster.open();
  const admin = await adminOf(cluster.nameServers);
  await admin.createTopic({ name: "orders", queueCount: 2 });
  const producer = await producerOf(cluster);
  for (let i = 0; i < 20; i++) await producer.send("orders", { body: String(i) });
  const seen: string[] = [];
  const open = (): Promise<PushConsumer> =>
    PushConsumer.open({
      nameServers: cluster.nameServers,
      consumerGroup: "billing",
      subscriptions: { orders: "*" },
      listener: (message) => {
        seen.push(message.text());
      },
    });
  const first = await open();
  onTestFinished(() => first.close());
  await expect.poll(() => seen.length).toBe(20);

  const reset = { group: "billing", topic: "orders", place: "earliest" } as const;
  await first.close();
  const consumed = await admin.groupOffsets("billing");
  await admin.resetOffsets(reset);
  const moved = await admin.groupOffsets("billing");
  const second = await open();
  onTestFinished(() => second.close());
  await expect.poll(() => seen.length).toBe(40);

  expect(consumed.map(({ lag }) => lag)).toEqual([0, 0]);
  expect(consumed.reduce((sum, { committedOffset = 0 }) => sum + committedOffset, 0)).toBe(20);
  expect(moved.map(({ committedOffset }) => committedOffset)).toEqual([0, 0]);
});

test("what is published is consumed while leaders are killed: stored once, in order", async () => {
  const cluster = await RealCluster.open();
  const admin = await adminOf(cluster.nameServers);
  await admin.createTopic({ name: "orders", queueCount: 4 });
  const producer = await producerOf(cluster);
  const consumer = await PullConsumer.open({ nameServers: cluster.nameServers });
  onTestFinished(() => consumer.close());
  await consumer.assign(consumer.queuesOf("orders"));
  const sends: Promise<unknown>[] = [];
  for (let i = 0; i < 3_000; i++) {
    const messageGroup = `g${i % 8}`;
    const body = String(i);
    sends.push(producer.send("orders", { body, messageGroup }, { timeoutMs: 20_000 }));
    if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    if (i === 1_000 || i === 2_000) {
      const leaderId = await cluster.leaderId();
      await cluster.kill(leaderId);
      await cluster.start(leaderId);
    }
  }
  await Promise.all(sends);
  const numbers: number[] = [];
  while (numbers.length < 3_000)
    numbers.push(...(await consumer.poll()).map((message) => Number(message.text())));

  expect(await consumer.poll({ timeoutMs: 100 })).toEqual([]);
  expect(new Set(numbers).size).toBe(3_000);
  for (let group = 0; group < 8; group++) {
    const own = numbers.filter((n) => n % 8 === group);
    expect(own).toEqual(own.toSorted((a, b) => a - b));
  }
});
