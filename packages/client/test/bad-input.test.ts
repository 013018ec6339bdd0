// Goal: whatever a program gives the client that cannot be is a clear error, before or behind the
// wire, and nothing of it is stored.
// Method: a real cluster; each kind of bad input once.

import { expect, onTestFinished, test, vi } from "vitest";
import {
  Admin,
  OperationError,
  type OutgoingMessage,
  Producer,
  PullConsumer,
} from "../src/index.ts";
import { RealCluster } from "./kit/real-cluster.ts";

const TOPIC = "orders";
const MIB = 1024 * 1024;

interface Shop {
  readonly admin: Admin;
  readonly producer: Producer;
  readonly nameServers: string[];
}

async function opened(): Promise<Shop> {
  const { nameServers } = await RealCluster.open();
  const admin = await Admin.open({ nameServers });
  await admin.createTopic({ name: TOPIC, queueCount: 2 });
  const producer = await Producer.open({ nameServers, producerGroup: "shop" });
  onTestFinished(async () => {
    await producer.close();
    await admin.close();
  });
  return { admin, producer, nameServers };
}

async function pulling(
  nameServers: readonly string[],
  onOutOfRange?: "earliest" | "latest",
): Promise<PullConsumer> {
  const policy = onOutOfRange === undefined ? {} : { onOutOfRange };
  const consumer = await PullConsumer.open({ nameServers, ...policy });
  onTestFinished(() => consumer.close());
  return consumer;
}

async function refusalOf(call: Promise<unknown>): Promise<OperationError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof OperationError) return error;
    throw error;
  }
  throw new Error("it was taken");
}

async function storedCount({ admin }: Shop): Promise<number> {
  return (await admin.messagesByTime(TOPIC)).length;
}

test("a topic that is not there", async () => {
  const { producer, admin, nameServers } = await opened();
  const consumer = await pulling(nameServers);

  const errors = [
    await refusalOf(producer.send("nowhere", { body: "x" })),
    await refusalOf(admin.alterTopic({ name: "nowhere", isReadable: true })),
    await refusalOf(consumer.assign([{ topic: "nowhere", queue: 0 }])),
  ];

  for (const error of errors)
    expect(error).toMatchObject({ code: "UNKNOWN_TOPIC", outcome: "not-applied" });
});

test("a topic without permission: to write, then to read, and then with both again", async () => {
  const { producer, admin, nameServers } = await opened();
  await producer.send(TOPIC, { body: "before" });
  const consumer = await pulling(nameServers);

  await admin.alterTopic({ name: TOPIC, isWritable: false, isReadable: false });
  const written = await refusalOf(producer.send(TOPIC, { body: "x" }));
  await consumer.assign([0, 1].map((queue) => ({ topic: TOPIC, queue })));
  const read = await refusalOf(consumer.poll({ timeoutMs: 5_000 }));
  await admin.alterTopic({ name: TOPIC, isWritable: true, isReadable: true });

  expect(written).toMatchObject({ code: "TOPIC_NOT_WRITABLE", outcome: "not-applied" });
  expect(read).toMatchObject({ code: "TOPIC_NOT_READABLE", outcome: "not-applied" });
  // Once its route has heard of it.
  await vi.waitFor(() => producer.send(TOPIC, { body: "after" }), 10_000);
});

test.each<[string, OutgoingMessage, string, string]>([
  ["a body of 4 MiB and more", { body: Buffer.alloc(4 * MIB) }, "MESSAGE_TOO_LARGE", "body"],
  ["a tag with a bar", { body: "x", tag: "a|b" }, "INVALID_ARGUMENT", "tag"],
  ["a tag that is all tags", { body: "x", tag: "*" }, "INVALID_ARGUMENT", "tag"],
  ["a tag that is too long", { body: "x", tag: "é".repeat(64) }, "INVALID_ARGUMENT", "tag"],
  ["an empty key", { body: "x", keys: [""] }, "INVALID_ARGUMENT", "keys"],
  ["a key that is too long", { body: "x", keys: ["k".repeat(256)] }, "INVALID_ARGUMENT", "keys"],
  [
    "too many keys",
    { body: "x", keys: Array.from({ length: 17 }, (_, i) => `${i}`) },
    "INVALID_ARGUMENT",
    "keys",
  ],
])("%s is refused by its field, before it is sent", async (_, message, code, field) => {
  const shop = await opened();

  const error = await refusalOf(shop.producer.send(TOPIC, message));

  expect(error).toMatchObject({ code, outcome: "not-applied", advice: "do-not-retry" });
  expect(JSON.stringify([error.message, error.problems])).toContain(field);
  expect(await storedCount(shop)).toBe(0);
});

test("an offset that is not there: an error with the range, or what the policy says", async () => {
  const { producer, nameServers } = await opened();
  const receipts = [];
  for (let i = 0; i < 3; i++)
    receipts.push(await producer.send(TOPIC, { body: `${i}`, messageGroup: "one" }));
  const { queue } = receipts[0] as { queue: number };
  const place = { topic: TOPIC, queue };
  const strict = await pulling(nameServers);
  const first = await pulling(nameServers, "earliest");
  const last = await pulling(nameServers, "latest");
  for (const consumer of [strict, first, last]) await consumer.assign([place]);

  for (const consumer of [strict, first, last]) await consumer.seek(place, 99);

  const error = await refusalOf(strict.poll({ timeoutMs: 10_000 }));
  expect(error).toMatchObject({
    code: "OFFSET_OUT_OF_RANGE",
    range: { firstOffset: 0, nextOffset: 3 },
  });
  expect((await first.poll({ timeoutMs: 10_000 })).map((message) => message.text())[0]).toBe("0");
  const next = producer.send(TOPIC, { body: "next", messageGroup: "one" });
  expect((await last.poll({ timeoutMs: 10_000 })).map((message) => message.text())).toEqual([
    "next",
  ]);
  await next;
});

test("fewer queues than there are, and more on a topic whose order it would break", async () => {
  const { admin } = await opened();
  await admin.createTopic({ name: "in-order", type: "fifo", queueCount: 2 });

  const fewer = await refusalOf(admin.alterTopic({ name: TOPIC, queueCount: 1 }));
  const more = await refusalOf(admin.alterTopic({ name: "in-order", queueCount: 4 }));

  for (const error of [fewer, more])
    expect(error).toMatchObject({ code: "QUEUE_COUNT_REFUSED", outcome: "not-applied" });
  expect(fewer.message).toContain("below 2");
});
