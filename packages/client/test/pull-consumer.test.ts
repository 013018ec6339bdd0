// Goal: a queue is read from where it was said, each wanted message once and in order; what cannot
// be read is a typed error, or what the reset policy makes of it.
// Method: a consumer against small brokers on real ports, with batches that a producer has stored.

import { RecordBatchBuilder } from "@quorumlog/protocol";
import { expect, onTestFinished, test } from "vitest";
import { PullConsumer, type PullConsumerOptions } from "../src/index.ts";
import { SmallCluster } from "./kit/small-cluster.ts";

const ORDERS = { name: "orders", topicId: 7, groupIds: [1, 2] };
const FIRST = { topic: "orders", queue: 0 };
const SECOND = { topic: "orders", queue: 1 };

function store(
  cluster: SmallCluster,
  queue: number,
  bodies: readonly string[],
  tag?: string,
): void {
  const builder = new RecordBatchBuilder();
  for (const body of bodies)
    builder.add({
      body: Buffer.from(body),
      bornTimestamp: 1_000,
      ...(tag === undefined ? {} : { tag }),
    });
  const place = { topicId: 7, queue, messageType: 1, producerId: 0, producerEpoch: 0, sequence: 0 };
  cluster.groups[queue]?.store(7, queue, builder.build(place), bodies.length);
}

async function consumerOf(
  cluster: SmallCluster,
  options: Partial<PullConsumerOptions> = {},
): Promise<PullConsumer> {
  const nameServers = [cluster.nameServer.address];
  const consumer = await PullConsumer.open({ nameServers, ...options });
  onTestFinished(() => consumer.close());
  return consumer;
}

async function textsOf(consumer: PullConsumer, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count)
    texts.push(...(await consumer.poll()).map((message) => message.text()));
  return texts;
}

test("queues of several groups are read in order, from the beginning", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  store(cluster, 0, ["a", "b"]);
  store(cluster, 0, ["c"]);
  store(cluster, 1, ["x"]);
  const consumer = await consumerOf(cluster);
  await consumer.assign(consumer.queuesOf("orders"));

  const texts = await textsOf(consumer, 4);

  expect(texts.filter((text) => text < "x")).toEqual(["a", "b", "c"]);
  expect(texts).toContain("x");
  expect(consumer.position(FIRST)).toBe(3);
});

test("a message that comes later wakes whoever polls", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  const consumer = await consumerOf(cluster);
  await consumer.assign([FIRST]);
  expect(await consumer.poll({ timeoutMs: 30 })).toEqual([]);

  const polled = consumer.poll();
  store(cluster, 0, ["late"]);
  const [message] = await polled;

  expect(message).toMatchObject({ topic: "orders", queue: 0, offset: 0, messageId: "7-0-0" });
  expect(message?.bornTimestamp).toBe(1_000);
});

test("whoever polls in a loop leaves others their turns", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  store(
    cluster,
    0,
    Array.from({ length: 2_500 }, (_, i) => `${i}`),
  );
  const consumer = await consumerOf(cluster);
  await consumer.assign([FIRST]);
  await consumer.poll({ maxMessages: 500 });
  let turns = 0;
  const onTurn = (): void => {
    turns += 1;
    immediate = setImmediate(onTurn);
  };
  let immediate = setImmediate(onTurn);

  for (let i = 0; i < 4; i++) await consumer.poll({ maxMessages: 500 });
  clearImmediate(immediate);

  expect(turns).toBeGreaterThanOrEqual(3);
});

test("reading goes to an offset, to a time, to either end", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  store(cluster, 0, ["a", "b", "c"]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const between = Date.now() - 5;
  store(cluster, 0, ["d"]);
  const consumer = await consumerOf(cluster, { startFrom: "latest" });
  await consumer.assign([FIRST]);

  expect(await consumer.poll({ timeoutMs: 20 })).toEqual([]);
  await consumer.seek(FIRST, 1);
  expect(await textsOf(consumer, 3)).toEqual(["b", "c", "d"]);
  await consumer.seek(FIRST, { timestamp: between });
  expect(await textsOf(consumer, 1)).toEqual(["d"]);
  await consumer.seek(FIRST, "earliest");
  expect(await textsOf(consumer, 4)).toEqual(["a", "b", "c", "d"]);
});

test("only the tags that were asked for are given", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  store(cluster, 0, ["a"], "red");
  store(cluster, 0, ["b"], "blue");
  store(cluster, 0, ["c"]);
  store(cluster, 0, ["d"], "green");
  const consumer = await consumerOf(cluster);
  await consumer.assign([{ ...FIRST, tags: "red || green" }]);

  expect(await textsOf(consumer, 2)).toEqual(["a", "d"]);
});

test("a group goes on where it committed", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  store(cluster, 0, ["a", "b", "c"]);
  const first = await consumerOf(cluster, { consumerGroup: "g" });
  await first.assign([FIRST]);
  await first.poll({ maxMessages: 2 });
  await first.commit();
  const second = await consumerOf(cluster, { consumerGroup: "g" });
  await second.assign([FIRST, SECOND]);

  expect(await textsOf(second, 1)).toEqual(["c"]);
});

test("an offset that is gone is an error with the range, or the policy's place", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  store(cluster, 0, ["a", "b"]);
  store(cluster, 0, ["c"]);
  cluster.first.queue(7, 0).firstOffset = 2;
  cluster.first.queue(7, 0).batches.shift();
  const strict = await consumerOf(cluster);
  const lenient = await consumerOf(cluster, { onOutOfRange: "earliest" });
  for (const consumer of [strict, lenient]) {
    await consumer.assign([FIRST]);
    await consumer.seek(FIRST, 0);
  }

  await expect(strict.poll()).rejects.toMatchObject({
    code: "OFFSET_OUT_OF_RANGE",
    range: { firstOffset: 2, nextOffset: 3 },
  });
  await strict.seek(FIRST, 2);
  expect(await textsOf(strict, 1)).toEqual(["c"]);
  expect(await textsOf(lenient, 1)).toEqual(["c"]);
});

test("bytes that stay damaged are an error that names the place", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  store(cluster, 0, ["a"]);
  store(cluster, 0, ["b"]);
  store(cluster, 0, ["c"]);
  const damaged = cluster.first.queue(7, 0).batches[1]?.bytes as Buffer;
  damaged[damaged.length - 1] = 0xff;
  const consumer = await consumerOf(cluster);
  await consumer.assign([FIRST]);

  expect(await textsOf(consumer, 1)).toEqual(["a"]);
  await expect(consumer.poll()).rejects.toMatchObject({
    code: "INVALID_BATCH",
    message: expect.stringContaining("orders, queue 0, offset 1"),
  });
  await consumer.seek(FIRST, 2);
  expect(await textsOf(consumer, 1)).toEqual(["c"]);
});

test("nothing is lost or repeated while nodes die and lead", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  const producer = await cluster.producer({ timeoutMs: 20_000 });
  const consumer = await consumerOf(cluster);
  await consumer.assign([FIRST, SECOND]);
  const read = textsOf(consumer, 300);
  for (let i = 0; i < 300; i++) {
    if (i === 100 || i === 200) {
      await cluster.first.kill(cluster.first.leaderNodeId);
      cluster.first.elect(cluster.first.leaderNodeId + 1);
    }
    await producer.send("orders", { body: String(i), messageGroup: `g${i % 5}` });
  }

  const texts = await read;

  expect(texts.map(Number).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 300 }, (_, i) => i),
  );
  for (let group = 0; group < 5; group++) {
    const own = texts.map(Number).filter((n) => n % 5 === group);
    expect(own).toEqual(own.toSorted((a, b) => a - b));
  }
});

test("it is an async iterable, which ends when it is closed", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  store(cluster, 0, ["a", "b", "c"]);
  const consumer = await consumerOf(cluster);
  await consumer.assign([FIRST]);

  const texts: string[] = [];
  for await (const message of consumer) {
    texts.push(message.text());
    if (texts.length === 3) await consumer.close();
  }

  expect(texts).toEqual(["a", "b", "c"]);
  await expect(consumer.poll()).rejects.toMatchObject({ code: "CLOSED" });
});

test("a commit within a loop notes the messages that the loop has had, and no other", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  store(cluster, 0, ["a", "b", "c", "d"]);
  const consumer = await consumerOf(cluster, { consumerGroup: "billing" });
  await consumer.assign([FIRST]);

  const committed: number[] = [];
  for await (const message of consumer) {
    await consumer.commit();
    committed.push(cluster.first.offsets.committed("billing", 7, 0));
    if (message.text() === "c") break;
  }

  expect(committed).toEqual([1, 2, 3]);
});

/** Which nodes were asked for what follows an offset of the first queue, in order. */
function askedFrom(cluster: SmallCluster, offset: number): number[] {
  return cluster.first.fetches
    .filter(({ request }) => (request.positions[0]?.offset ?? 0) >= offset)
    .map(({ nodeId }) => nodeId);
}

test("what is suggested is followed up to there, and no further", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  // Each is more than a fetch takes, so that they come one by one.
  for (let i = 0; i < 20; i++) store(cluster, 0, [String(i).padEnd(900_000)]);
  cluster.first.suggestedNodeId = 2;
  cluster.first.suggestedUntil = 10;
  const consumer = await consumerOf(cluster);
  await consumer.assign([FIRST]);

  const texts = await textsOf(consumer, 20);

  expect(texts.map(Number)).toEqual(Array.from({ length: 20 }, (_, i) => i));
  const nodeIds = cluster.first.fetches.map(({ nodeId }) => nodeId);
  expect(nodeIds[0]).toBe(1);
  expect(nodeIds).toContain(2);
  expect(new Set(askedFrom(cluster, 10))).toEqual(new Set([1]));
});

test("a follower that has no more, or is gone, costs nothing but the way back", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  for (let i = 0; i < 20; i++) store(cluster, 0, [String(i).padEnd(900_000)]);
  // Nobody is there, and nothing is that far.
  cluster.first.suggestedNodeId = 2;
  await cluster.first.kill(2);
  const consumer = await consumerOf(cluster);
  await consumer.assign([FIRST]);

  const texts = await textsOf(consumer, 20);

  expect(texts.map(Number)).toEqual(Array.from({ length: 20 }, (_, i) => i));
});

test("an aborted poll ends at once; wrong arguments are named", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  const consumer = await consumerOf(cluster);
  await consumer.assign([FIRST]);
  const controller = new AbortController();
  const polled = consumer.poll({ signal: controller.signal });
  controller.abort();

  await expect(polled).rejects.toMatchObject({ code: "ABORTED", outcome: "not-applied" });
  await expect(consumer.seek(FIRST, "middle" as never)).rejects.toMatchObject({
    problems: [{ field: "place" }],
  });
  await expect(consumer.seek(SECOND, 0)).rejects.toMatchObject({ code: "NOT_ASSIGNED" });
  await expect(consumer.assign([{ topic: "orders", queue: 9 }])).rejects.toMatchObject({
    code: "UNKNOWN_QUEUE",
  });
  await expect(consumer.commit()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});
