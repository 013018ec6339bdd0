// Goal: listeners are handed what they have subscribed to, as many at a time and in the order that
// they asked for, again if they fail, and not at all while they are paused.
// Method: consumers in this process; leaders of both groups are killed meanwhile.

import { type ConsumedMessage, Producer, PushConsumer, PullConsumer } from "@quorumlog/client";
import type { PushConsumerEvent, PushConsumerOptions } from "@quorumlog/client";
import { expect, onTestFinished, test } from "vitest";
import { clusterOfFile } from "../kit/cluster-of-file.ts";
import { numbers, publishNumbers, sortedSet } from "../kit/publishing.ts";
import { publishBatches, undecodableBatch } from "../kit/stored-batches.ts";

const clusterOf = clusterOfFile();

/** Closed when the test is over. */
async function consumerOf(
  topic: string,
  options: Partial<PushConsumerOptions> = {},
): Promise<PushConsumer> {
  const consumer = await PushConsumer.open({
    nameServers: clusterOf().nameServers,
    consumerGroup: `of-${topic}`,
    subscriptions: { [topic]: "*" },
    commitIntervalMs: 100,
    ...options,
  });
  onTestFinished(() => consumer.close());
  return consumer;
}

async function createTopic(name: string): Promise<void> {
  const admin = await clusterOf().admin();
  await admin.createTopic({ name, queueCount: 4 });
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("only the tags that were asked for are handed out, whatever their hashes", async () => {
  const cluster = clusterOf();
  await createTopic("tagged");
  // Of the same hash, where a hash of 32 bits is all that is compared: "Aa" and "BB".
  const tags = ["Aa", "BB", "b", undefined];
  await using producer = await Producer.open({
    nameServers: cluster.nameServers,
    producerGroup: "tags",
  });
  const seen: Record<string, string[]> = { "Aa || b": [], "*": [], BB: [] };
  const open = (expression: string): Promise<PushConsumer> =>
    consumerOf("tagged", {
      consumerGroup: `tags-${Object.keys(seen).indexOf(expression)}`,
      subscriptions: { tagged: expression },
      listener: ({ tag = "none" }) => {
        seen[expression]?.push(tag);
      },
    });
  await open("Aa || b");
  await open("*");
  await cluster.failOver();
  await open("BB");
  // Batches of one tag, and of several.
  for (let i = 0; i < 10; i++)
    await Promise.all(
      tags.map((tag) =>
        producer.send(
          "tagged",
          { body: "x", ...(tag === undefined ? {} : { tag }) },
          { timeoutMs: 60_000 },
        ),
      ),
    );
  for (const tag of ["Aa", "BB", "b"])
    for (let i = 0; i < 10; i++) await producer.send("tagged", { body: "x", tag });
  await cluster.until("all are there", () => seen["*"]?.length === 70 || undefined);
  await cluster.until("some are there", () => {
    return (seen["Aa || b"]?.length === 40 && seen["BB"]?.length === 20) || undefined;
  });

  expect(new Set(seen["Aa || b"])).toEqual(new Set(["Aa", "b"]));
  expect(new Set(seen["BB"])).toEqual(new Set(["BB"]));
  expect(new Set(seen["*"])).toEqual(new Set(["Aa", "BB", "b", "none"]));
});

test("a listener runs so many times at once, and no more", async () => {
  const cluster = clusterOf();
  const { nameServers } = cluster;
  await createTopic("at-once");
  await publishNumbers({ nameServers, topic: "at-once", from: 0, to: 300 });
  let running = 0;
  let most = 0;
  const seen: number[] = [];
  await consumerOf("at-once", {
    concurrency: 7,
    listener: async (message) => {
      running += 1;
      most = Math.max(most, running);
      await pause(5);
      running -= 1;
      seen.push(Number(message.text()));
    },
  });
  await cluster.failOver();
  await cluster.until("all are there", () => sortedSet(seen).length === 300 || undefined);

  expect(most).toBe(7);
});

test("per key, messages are handed out one behind the other, beside other keys", async () => {
  const cluster = clusterOf();
  const { nameServers } = cluster;
  await createTopic("by-key");
  const seen: number[] = [];
  const running = new Set<number>();
  let most = 0;
  let overlaps = 0;
  await consumerOf("by-key", {
    order: "per-key",
    listener: async (message) => {
      const key = Number(message.text()) % 16;
      if (running.has(key)) overlaps += 1;
      running.add(key);
      most = Math.max(most, running.size);
      await pause(2);
      running.delete(key);
      seen.push(Number(message.text()));
    },
  });
  const publishing = publishNumbers({ nameServers, topic: "by-key", from: 0, to: 800 });
  await cluster.failOver();
  await publishing;
  await cluster.until("all are there", () => sortedSet(seen).length === 800 || undefined);

  expect(overlaps).toBe(0);
  expect(most).toBeGreaterThan(4);
  for (const key of numbers(0, 16)) {
    const first = sortedSet(seen.filter((n) => n % 16 === key));
    // The first time that each was handed out; some may have come again.
    const order = [...new Set(seen.filter((n) => n % 16 === key))];
    expect(order).toEqual(first);
  }
});

test("what fails is handed out again, later each time, and then passed over", async () => {
  const cluster = clusterOf();
  const { nameServers } = cluster;
  await createTopic("failing");
  const attempts: number[] = [];
  const seen: number[] = [];
  const events: PushConsumerEvent["type"][] = [];
  await consumerOf("failing", {
    attemptsMax: 5,
    retryMs: 50,
    onEvent: ({ type }) => events.push(type),
    listener: (message) => {
      if (message.text() === "13") {
        attempts.push(performance.now());
        throw new Error("not this one");
      }
      seen.push(Number(message.text()));
    },
  });
  await publishNumbers({ nameServers, topic: "failing", from: 0, to: 50 });
  await cluster.failOver();
  await cluster.until("it was given up", () => events.includes("given-up") || undefined);
  await publishNumbers({ nameServers, topic: "failing", from: 50, to: 100 });
  await cluster.until("all others are there", () => sortedSet(seen).length === 99 || undefined);

  expect(attempts).toHaveLength(5);
  const waits = attempts.slice(1).map((at, i) => at - (attempts[i] ?? 0));
  for (const [i, wait] of waits.entries()) expect(wait).toBeGreaterThanOrEqual(50 * 2 ** i - 5);
});

test("a paused consumer is handed nothing, and goes on when it is resumed", async () => {
  const cluster = clusterOf();
  const { nameServers } = cluster;
  await createTopic("paused");
  const seen: ConsumedMessage[] = [];
  const consumer = await consumerOf("paused", {
    listener: (message) => {
      seen.push(message);
    },
  });
  consumer.pause();
  await publishNumbers({ nameServers, topic: "paused", from: 0, to: 40 });
  await cluster.failOver();
  const paused = seen.length;
  consumer.resume();
  await cluster.until("all are there", () => seen.length >= 40 || undefined);

  expect(paused).toBe(0);
});

test("a pull consumer reads, seeks and commits, and goes on from there", async () => {
  const cluster = clusterOf();
  const { nameServers } = cluster;
  await createTopic("pulled");
  await publishNumbers({ nameServers, topic: "pulled", from: 0, to: 100 });
  const options = { nameServers, consumerGroup: "pullers" };
  const take = async (consumer: PullConsumer, count: number): Promise<number[]> => {
    const taken: number[] = [];
    await cluster.until("there are so many", async () => {
      const messages = await consumer.poll({ timeoutMs: 500, maxMessages: count - taken.length });
      taken.push(...messages.map((message) => Number(message.text())));
      return taken.length >= count || undefined;
    });
    return taken;
  };
  await using first = await PullConsumer.open(options);
  await first.assign(first.queuesOf("pulled"));
  const some = await take(first, 60);
  await first.commit({ timeoutMs: 60_000 });
  await cluster.failOver();
  await using second = await PullConsumer.open(options);
  await second.assign(second.queuesOf("pulled"), { timeoutMs: 60_000 });
  const others = await take(second, 40);
  for (const queue of second.queuesOf("pulled"))
    await second.seek(queue, "earliest", { timeoutMs: 60_000 });
  const again = await take(second, 100);

  expect(sortedSet([...some, ...others])).toEqual(numbers(0, 100));
  expect(some.length + others.length).toBe(100);
  expect(sortedSet(again)).toEqual(numbers(0, 100));
  await expect(
    second.commit({ queue: { topic: "pulled", queue: 0 }, offset: 5_000, timeoutMs: 60_000 }),
  ).rejects.toMatchObject({ code: "OFFSET_OUT_OF_RANGE" });
});

test("without a listener, a consumer is iterated", async () => {
  const cluster = clusterOf();
  const { nameServers } = cluster;
  await createTopic("iterated");
  const consumer = await consumerOf("iterated");
  const publishing = publishNumbers({ nameServers, topic: "iterated", from: 0, to: 200 });
  const failing = cluster.failOver();
  const seen = new Set<number>();
  for await (const message of consumer) {
    seen.add(Number(message.text()));
    if (seen.size === 200) break;
  }
  await Promise.all([publishing, failing]);

  expect(sortedSet(seen)).toEqual(numbers(0, 200));
});

test("a queue stops in front of what nobody can decode, or skips it, and says where", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  const { topicId, groupIds } = await admin.createTopic({ name: "broken", queueCount: 2 });
  await using producer = await Producer.open({
    nameServers: cluster.nameServers,
    producerGroup: "broken",
    timeoutMs: 60_000,
    queueSelector: ({ keys }) => Number(keys?.[0]),
  });
  const sendToBoth = (body: string): Promise<unknown> =>
    Promise.all(["0", "1"].map((queue) => producer.send("broken", { body, keys: [queue] })));
  await sendToBoth("before");
  for (const [queue, groupId] of groupIds.entries()) {
    const batches = [undecodableBatch(topicId, queue)];
    expect((await publishBatches(cluster, groupId, { batches })).results).toMatchObject([
      { error: null, baseOffset: 1 },
    ]);
  }
  await sendToBoth("behind");
  const stopped: PushConsumerEvent[] = [];
  const seen: Record<string, string[]> = { stop: [], skip: [] };
  const open = (onUndecodable: "stop" | "skip"): Promise<PushConsumer> =>
    consumerOf("broken", {
      consumerGroup: `broken-${onUndecodable}`,
      onUndecodable,
      listener: (message) => {
        seen[onUndecodable]?.push(message.text());
      },
      onEvent: (event) => {
        if (event.type === "undecodable" && !event.isSkipped) stopped.push(event);
      },
    });
  await open("stop");
  await open("skip");

  await cluster.failOver();
  await cluster.until("one has skipped them", () => seen["skip"]?.length === 4 || undefined);
  await cluster.until("the other one stands", () => stopped.length >= 2 || undefined);
  expect(stopped[0]).toMatchObject({ range: { firstOffset: 1, nextOffset: 2 } });
  expect(seen["stop"]).not.toContain("behind");
  const order = { group: "broken-stop", topic: "broken", place: 2 };
  await cluster.until("they are passed over", async () => {
    await admin.resetOffsets(order).catch(() => undefined);
    return seen["stop"]?.filter((text) => text === "behind").length === 2 || undefined;
  });
});

test("a pull consumer goes on where its group is reset to, while it waits", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await createTopic("pulled-back");
  await publishNumbers({ nameServers: cluster.nameServers, topic: "pulled-back", from: 0, to: 40 });
  const resets = new Set<number>();
  await using consumer = await PullConsumer.open({
    nameServers: cluster.nameServers,
    consumerGroup: "pulling-back",
    onEvent: (event) => {
      if (event.type === "reset") resets.add(event.queue.queue);
    },
  });
  await consumer.assign(consumer.queuesOf("pulled-back"));
  const seen: number[] = [];
  const readAll = (count: number): Promise<true> =>
    cluster.until(`${count} messages are read`, async () => {
      seen.push(...(await consumer.poll({ timeoutMs: 100 })).map((each) => Number(each.text())));
      return seen.length >= count || undefined;
    });
  await readAll(40);
  await consumer.commit({ timeoutMs: 60_000 });

  await cluster.failOver();
  await cluster.until("the group is moved", async () => {
    const order = { group: "pulling-back", topic: "pulled-back", place: "earliest" as const };
    return admin.resetOffsets(order).then(
      () => true as const,
      () => undefined,
    );
  });
  await readAll(80);

  expect(sortedSet(seen.slice(40))).toEqual(numbers(0, 40));
  expect(sortedSet(resets)).toEqual([0, 1, 2, 3]);
});
