// Goal: what was stored is found again, by id, key and time, also where another node leads now.
// Method: publish to both groups, kill their leaders, look.

import { expect, test } from "vitest";
import { producerOf, pullConsumerOf, queueOfKey, take, textsOf } from "../kit/clients.ts";
import { sendToEachQueue } from "../kit/clients.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";
import { storedBatches } from "../kit/stored-batches.ts";

const clusterOf = clusterOfFile();

test("a message is found by the id that its producer was told", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "by-id" });
  const receipts = await sendToEachQueue(cluster, "by-id", 4);

  await cluster.failOver();

  for (const { messageId = "", queue } of receipts)
    expect((await admin.messageById(messageId))?.text()).toBe(String(queue));
  expect(await admin.messageById((receipts[0]?.messageId ?? "").replace(/\d+$/u, "9"))).toBe(
    undefined,
  );
});

test("messages are found by their key, in all queues, and by no other key", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "by-key" });
  const producer = await producerOf(cluster, { queueSelector: queueOfKey });
  const send = (queue: number, keys: readonly string[], body: string): Promise<unknown> =>
    producer.send("by-key", { body, keys: [String(queue), ...keys] });
  await send(0, ["order 7"], "ordered");
  await send(1, ["order 8"], "another");
  await send(2, ["order 7", "parcel 1"], "sent");
  await send(3, [], "without");

  await cluster.failOver();

  const { messages, isTruncated } = await admin.messagesByKey("by-key", "order 7");
  expect(textsOf(messages).toSorted()).toEqual(["ordered", "sent"]);
  expect(isTruncated).toBe(false);
  expect(textsOf((await admin.messagesByKey("by-key", "parcel 1")).messages)).toEqual(["sent"]);
  expect((await admin.messagesByKey("by-key", "order")).messages).toEqual([]);
});

test("messages are found by the time they were stored at", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "by-time" });
  const early = await sendToEachQueue(cluster, "by-time", 4);
  await cluster.failOver();
  const end = Math.max(...early.map(({ storeTimestamp }) => storeTimestamp ?? 0));
  await cluster.until("it is later", () => (Date.now() > end + 10 ? true : undefined));
  const late = await sendToEachQueue(cluster, "by-time", 4);
  const from = Math.min(...late.map(({ storeTimestamp }) => storeTimestamp ?? 0));

  const found = await admin.messagesByTime("by-time", { from });
  const before = await admin.messagesByTime("by-time", { to: from });

  expect(found.map(({ queue, offset }) => `${queue}/${offset}`).toSorted()).toEqual([
    "0/1",
    "1/1",
    "2/1",
    "3/1",
  ]);
  expect(before.map(({ offset }) => offset)).toEqual([0, 0, 0, 0]);
});

test("a consumer gets the tags it asks for, and none of the same hash", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "tagged", queueCount: 2 });
  const producer = await producerOf(cluster, { queueSelector: queueOfKey });
  // "Aa" and "BB" are known to have one hash where hashes of 32 bits are compared.
  const tags = ["Aa", "BB", "red", "green", undefined];
  for (const [i, tag] of tags.entries())
    for (const queue of ["0", "1"])
      await producer.send("tagged", {
        body: `${i}`,
        keys: [queue],
        ...(tag === undefined ? {} : { tag }),
      });

  await cluster.failOver();

  const read = async (expression: string, count: number): Promise<string[]> => {
    const consumer = await pullConsumerOf(cluster);
    const queues = consumer.queuesOf("tagged");
    await consumer.assign(queues.map((queue) => ({ ...queue, tags: expression })));
    const messages = await take(consumer, count);
    expect(await consumer.poll({ timeoutMs: 200 })).toEqual([]);
    return messages.map(({ tag }) => String(tag)).toSorted();
  };
  expect(await read("Aa", 2)).toEqual(["Aa", "Aa"]);
  expect(await read("red || BB", 4)).toEqual(["BB", "BB", "red", "red"]);
  expect(await read("*", 10)).toHaveLength(10);
  // What nobody has asked for is not sent, either.
  for (const queue of [0, 1]) {
    expect(await storedBatches(cluster, "tagged", queue, ["Aa"])).toHaveLength(1);
    expect(await storedBatches(cluster, "tagged", queue, ["red", "BB"])).toHaveLength(2);
  }
});
