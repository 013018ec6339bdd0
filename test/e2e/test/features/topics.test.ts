// Goal: topics are made, changed and taken away by the metadata group, and every broker group does
// as it says, whoever leads them.
// Method: change a topic, kill the leaders of both groups, use the topic.

import { expect, test } from "vitest";
import { codeIn, codeOf, inOrder, producerOf, pullConsumerOf, queueOfKey } from "../kit/clients.ts";
import { range, readTopic, sendToEachQueue, textsOf } from "../kit/clients.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";

const clusterOf = clusterOfFile();

test("a topic has four queues, spread over all broker groups", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();

  const { groupIds } = await admin.createTopic({ name: "spread" });
  await cluster.failOver();

  expect(inOrder(groupIds)).toEqual([1, 1, 2, 2]);
  await sendToEachQueue(cluster, "spread", 4);
  const messages = await readTopic(cluster, "spread", 4);
  expect(textsOf(messages).toSorted()).toEqual(["0", "1", "2", "3"]);
  for (const message of messages) expect(message.text()).toBe(String(message.queue));
});

test("a topic is given more queues, and not fewer; one in order keeps those it has", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "wider", queueCount: 2 });
  await admin.createTopic({ name: "in-order", queueCount: 2, type: "fifo" });
  const producer = await producerOf(cluster, { queueSelector: (_, count) => count - 1 });
  await producer.send("wider", { body: "of the last one" });

  const { groupIds } = await admin.alterTopic({ name: "wider", queueCount: 8 });
  await cluster.failOver();

  expect(inOrder(groupIds)).toEqual([1, 1, 1, 1, 2, 2, 2, 2]);
  expect(await codeOf(admin.alterTopic({ name: "wider", queueCount: 7 }))).toBe(
    "QUEUE_COUNT_REFUSED",
  );
  expect(await codeOf(admin.alterTopic({ name: "in-order", queueCount: 4 }))).toBe(
    "QUEUE_COUNT_REFUSED",
  );
  await cluster.until("the producer that ran before uses the new queues", async () => {
    const { queue } = await producer.send("wider", { body: "of the last one" });
    return queue === 7 ? true : undefined;
  });
});

test("without write permission a topic takes no messages, until it is given back", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "closed" });
  await sendToEachQueue(cluster, "closed", 4);

  await admin.alterTopic({ name: "closed", isWritable: false });
  await cluster.failOver();

  const producer = await producerOf(cluster, { queueSelector: queueOfKey });
  for (const queue of range(4)) {
    const message = { body: "no", keys: [String(queue)] };
    // One of the groups may have heard of it a moment later.
    const code = await cluster.until(`queue ${queue} takes no messages`, async () =>
      producer.send("closed", message).then(() => undefined, codeIn),
    );
    expect(code).toBe("TOPIC_NOT_WRITABLE");
  }
  expect((await readTopic(cluster, "closed", 4)).length).toBeGreaterThanOrEqual(4);
  await admin.alterTopic({ name: "closed", isWritable: true });
  await cluster.until("both groups take messages again", async () => {
    const again = sendToEachQueue(cluster, "closed", 4);
    const receipts = await again.catch(() => undefined);
    return receipts?.every(({ offset = 0 }) => offset > 0) === true ? true : undefined;
  });
});

test("without read permission a topic is not read, until it is given back", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "secret" });
  await sendToEachQueue(cluster, "secret", 4);

  await admin.alterTopic({ name: "secret", isReadable: false });
  await cluster.failOver();

  const consumer = await pullConsumerOf(cluster);
  await consumer.assign(consumer.queuesOf("secret"));
  const code = await cluster.until("it is not read", async () =>
    consumer.poll({ timeoutMs: 30_000 }).then(() => undefined, codeIn),
  );
  expect(code).toBe("TOPIC_NOT_READABLE");
  await admin.alterTopic({ name: "secret", isReadable: true });
  await cluster.until("both groups are read again", async () => {
    const messages = await readTopic(cluster, "secret", 4).catch(() => undefined);
    return messages?.length === 4 ? true : undefined;
  });
});

test("a deleted topic is gone with its messages; one of its name begins with none", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  const { topicId } = await admin.createTopic({ name: "short-lived" });
  const [receipt] = await sendToEachQueue(cluster, "short-lived", 4);

  await admin.deleteTopic("short-lived");
  await cluster.failOver();

  const producer = await producerOf(cluster, { queueSelector: queueOfKey });
  expect(await codeOf(producer.send("short-lived", { body: "late" }))).toBe("UNKNOWN_TOPIC");
  expect(await admin.messageById(receipt?.messageId ?? "")).toBeUndefined();
  const next = await admin.createTopic({ name: "short-lived" });
  expect(next.topicId).not.toBe(topicId);
  const receipts = await sendToEachQueue(cluster, "short-lived", 4);
  expect(receipts.map(({ offset }) => offset)).toEqual([0, 0, 0, 0]);
});

test("a fifo topic takes messages of a message group alone, and keeps their order", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "steps", type: "fifo" });
  const producer = await producerOf(cluster);

  expect(await codeOf(producer.send("steps", { body: "of none" }))).toBe("MESSAGE_TYPE_MISMATCH");
  const sends = range(400).map((number) =>
    producer.send("steps", { body: String(number), messageGroup: `group ${number % 8}` }),
  );
  await cluster.failOver();
  await Promise.all(sends);

  const messages = await readTopic(cluster, "steps", 400);
  for (const group of range(8)) {
    const own = messages.filter(({ messageGroup }) => messageGroup === `group ${group}`);
    expect(new Set(own.map(({ queue }) => queue)).size).toBe(1);
    expect(textsOf(own).map(Number)).toEqual(range(50).map((i) => 8 * i + group));
  }
});

test("a topic that there is not is refused by its name", async () => {
  const cluster = clusterOf();
  const producer = await producerOf(cluster);
  await cluster.failOver();

  const send = producer.send("nowhere", { body: "lost" });

  await expect(send).rejects.toMatchObject({ code: "UNKNOWN_TOPIC", outcome: "not-applied" });
  await expect(send).rejects.toThrow("nowhere");
});
