// Goal: what an operator sets is kept to: how much is retained, how large a message is, whether
// topics are made on demand; and figures are told of it.
// Method: small limits; leaders of both groups are killed before a feature is looked at.

import { setTimeout as pause } from "node:timers/promises";
import { Producer, PullConsumer, PushConsumer } from "@quorumlog/client";
import { expect, test } from "vitest";
import {
  codeOf,
  producerOf,
  pullConsumerOf,
  range,
  readTopic,
  sendToEachQueue,
  take,
} from "../kit/clients.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";

const BODY_BYTES = 20_000;
const RETAINED_BYTES = 1_048_576;
const GROUP_RETENTION_MS = 10_000;

const clusterOf = clusterOfFile({
  brokerSettings: {
    segmentBytes: 262_144,
    retentionBytes: RETAINED_BYTES,
    messageBytesMax: 50_000,
    autoCreateTopics: true,
    defaultQueueCount: 6,
    groupRetentionMs: GROUP_RETENTION_MS,
    metrics: "127.0.0.1:0",
  },
});

/** Each of its number, and large. */
function bodyOf(number: number): string {
  return `${number} `.padEnd(BODY_BYTES, "x");
}

async function offsetsFrom(consumer: PullConsumer, count: number): Promise<number[]> {
  return (await take(consumer, count)).map(({ offset }) => offset);
}

test("beyond the retention the oldest messages go, on every node alike", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "retained", queueCount: 2 });
  const producer = await producerOf(cluster, { queueSelector: ({ keys }) => Number(keys?.[0]) });
  const count = 200;
  for (const number of range(count))
    await producer.send("retained", { body: bodyOf(number), keys: [String(number % 2)] });

  await cluster.failOver();

  for (const queue of [0, 1]) {
    const place = { topic: "retained", queue };
    const strict = await pullConsumerOf(cluster, { onOutOfRange: "fail" });
    await strict.assign([place]);
    await strict.seek(place, 0);
    const lenient = await pullConsumerOf(cluster, { onOutOfRange: "earliest" });
    await lenient.assign([place]);
    const { first, offsets } = await cluster.until("the oldest are gone", async () => {
      await lenient.seek(place, "earliest");
      const begin = lenient.position(place);
      if (begin === 0) return undefined;
      await lenient.seek(place, 0);
      return { first: begin, offsets: await offsetsFrom(lenient, count / 2 - begin) };
    });

    // Of a log that keeps a MiB, and frees it by files and snapshots of a quarter of that.
    expect(count / 2 - first).toBeLessThan((3 * RETAINED_BYTES) / BODY_BYTES);
    expect(offsets).toEqual(range(count / 2 - first).map((i) => first + i));
    expect(await codeOf(strict.poll())).toBe("OFFSET_OUT_OF_RANGE");
  }
});

test("a message larger than the brokers take is refused with its size and the bound", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "bounded" });
  const producer = await producerOf(cluster, { queueSelector: () => 0 });

  await cluster.failOver();
  // Of what was sent to a leader that had died nobody could say that it was not stored.
  await producer.send("bounded", { body: "it has found the leader" });
  const refused = producer.send("bounded", { body: "x".repeat(60_000) });

  await expect(refused).rejects.toMatchObject({
    code: "MESSAGE_TOO_LARGE",
    outcome: "not-applied",
    message: expect.stringMatching(/600\d\d bytes, and it may have 50000/u) as string,
  });
  await producer.send("bounded", { body: "x".repeat(49_000) });
});

test("a topic is made for whoever publishes to it, once, and for nobody else", async () => {
  const cluster = clusterOf();
  const silent = await producerOf(cluster);
  expect(await codeOf(silent.send("on-demand", { body: "no" }))).toBe("UNKNOWN_TOPIC");
  const { nameServers } = cluster;
  const init = { nameServers, producerGroup: "test", timeoutMs: 60_000, createsTopics: true };
  const producers = await Promise.all(range(3).map(() => Producer.open(init)));

  // A leader that dies with the request may have made it, or not.
  const sends = producers.map((producer) => producer.send("on-demand", { body: "yes" }));
  await cluster.failOver();
  await Promise.all(sends);
  await Promise.all(producers.map((producer) => producer.close()));

  const { topics } = (await cluster.admin()).cluster();
  const made = topics.filter(({ name }) => name === "on-demand");
  expect(made.map(({ groupIds }) => groupIds.length)).toEqual([6]);
  expect(await readTopic(cluster, "on-demand", 3)).toHaveLength(3);
});

test("every node tells figures of what it does, and whether it is ready", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "counted" });
  await cluster.failOver();
  await cluster.whole();
  const producer = await producerOf(cluster);
  await Promise.all(range(20).map((i) => producer.send("counted", { body: String(i) })));

  let published = 0;
  for (const groupId of cluster.groupIds)
    for (const nodeId of cluster.nodeIdsOf(groupId)) {
      const { lines } = cluster.node(nodeId);
      const said = lines.findLast((line) => line.startsWith("figures on port "));
      const port = said?.split(" ").at(-1) ?? "";
      const ask = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`);
      await cluster.until(`node ${nodeId} is ready`, async () => {
        return (await ask("/ready")).status === 200 ? true : undefined;
      });
      expect((await ask("/health")).status).toBe(200);
      const text = await (await ask("/metrics")).text();
      const status = await cluster.statusOf(nodeId);
      expect(text).toContain(`quorumlog_role{role="${status?.role}"} 1\n`);
      expect(text).toMatch(/^process_resident_memory_bytes \d{7,}$/mu);
      published += Number(/^quorumlog_messages_in_total (\d+)$/mu.exec(text)?.[1]);
    }
  expect(published).toBeGreaterThanOrEqual(20);
});

test("a consumer group that nobody uses is forgotten after a time, and no other one", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "left", queueCount: 2 });
  await sendToEachQueue(cluster, "left", 2);
  const queues = range(2).map((queue) => ({ topic: "left", queue }));
  const gone = await PullConsumer.open({ nameServers: cluster.nameServers, consumerGroup: "gone" });
  await gone.assign(queues);
  await take(gone, 2);
  await gone.commit({ timeoutMs: 60_000 });
  await gone.close();
  await using stays = await PushConsumer.open({
    nameServers: cluster.nameServers,
    consumerGroup: "stays",
    subscriptions: { left: "*" },
    commitIntervalMs: 100,
    sessionTimeoutMs: 60_000,
    listener: () => undefined,
  });
  const groups = async (): Promise<string[]> =>
    (await admin.listConsumerGroups()).map(({ group }) => group);
  expect(await groups()).toEqual(["gone", "stays"]);

  await cluster.failOver();
  await cluster.until("it is forgotten", async () => {
    return (await groups()).includes("gone") ? undefined : true;
  });
  // For longer than anybody commits, as nothing comes.
  await pause(GROUP_RETENTION_MS);

  expect(await groups()).toEqual(["stays"]);
  const offsets = await admin.groupOffsets("stays");
  expect(offsets.map(({ committedOffset }) => committedOffset)).toEqual([1, 1]);
  const notes = cluster.groupIds
    .flatMap((groupId) => cluster.nodeIdsOf(groupId))
    .flatMap((nodeId) => cluster.node(nodeId).lines)
    .filter((line) => line.includes("consumerGroupsExpired"));
  expect(notes.length).toBeGreaterThan(0);
  expect(notes.every((line) => line.includes('"groups":["gone"]'))).toBe(true);
  await stays.close();
});
