// Goal: a program that assigns its queues itself is moved when its group's offset is reset, and
// commits nothing of the place before; its own commits do not overtake one another.
// Method: pull consumers of a real broker group; resets by an admin while they wait and while they
// commit.

import { setTimeout as pause } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import {
  Admin,
  Producer,
  PullConsumer,
  type PullConsumerEvent,
  PushConsumer,
} from "../src/index.ts";
import { RealCluster } from "./kit/real-cluster.ts";

const QUEUE = { topic: "orders", queue: 0 };
const GROUP = "ledger";
const WAIT = { timeoutMs: 60_000 };

interface Opened {
  readonly nameServers: readonly string[];
  readonly admin: Admin;
  readonly committed: () => Promise<number | undefined>;
  readonly reset: (offset: number) => Promise<void>;
  readonly reader: () => Promise<{ consumer: PullConsumer; events: PullConsumerEvent[] }>;
}

/** Ten messages, "0" to "9", in one queue. */
async function opened(): Promise<Opened> {
  const { nameServers } = await RealCluster.open();
  const admin = await Admin.open({ nameServers });
  onTestFinished(() => admin.close());
  await admin.createTopic({ name: "orders", queueCount: 1 });
  await using producer = await Producer.open({ nameServers, producerGroup: "shop", ...WAIT });
  for (let i = 0; i < 10; i++) await producer.send("orders", { body: String(i) });
  const reader: Opened["reader"] = async () => {
    const events: PullConsumerEvent[] = [];
    const onEvent = (event: PullConsumerEvent): void => {
      events.push(event);
    };
    const consumer = await PullConsumer.open({ nameServers, consumerGroup: GROUP, onEvent });
    onTestFinished(() => consumer.close());
    await consumer.assign([QUEUE]);
    return { consumer, events };
  };
  return {
    nameServers,
    admin,
    reader,
    committed: async () => (await admin.groupOffsets(GROUP))[0]?.committedOffset,
    reset: async (place) => {
      await admin.resetOffsets({ group: GROUP, topic: "orders", place });
    },
  };
}

async function texts(consumer: PullConsumer, count: number): Promise<string> {
  let found = "";
  while (found.length < count)
    for (const message of await consumer.poll({ maxMessages: count - found.length, ...WAIT }))
      found += message.text();
  return found;
}

test("one that waits for what comes goes on where its group is reset to, at once", async () => {
  const { reader, reset, committed } = await opened();
  const { consumer, events } = await reader();
  expect(await texts(consumer, 10)).toBe("0123456789");
  await consumer.commit(WAIT);

  const waiting = texts(consumer, 4);
  await pause(200);
  const since = performance.now();
  await reset(6);

  expect(await waiting).toBe("6789");
  // Not when its fetch has waited long enough.
  expect(performance.now() - since).toBeLessThan(14_000);
  expect(events).toEqual([{ type: "reset", queue: QUEUE, offset: 6 }]);
  await consumer.commit(WAIT);
  expect(await committed()).toBe(10);
}, 120_000);

test("a commit of the place before a reset changes nothing, even the first one", async () => {
  const { reader, reset, committed } = await opened();
  const { consumer, events } = await reader();
  expect(await texts(consumer, 8)).toBe("01234567");

  await reset(3);
  await consumer.commit(WAIT);

  expect(await committed()).toBe(3);
  expect(events).toEqual([{ type: "reset", queue: QUEUE, offset: 3 }]);
  expect(consumer.position(QUEUE)).toBe(3);
  expect(await texts(consumer, 7)).toBe("3456789");
  await consumer.commit(WAIT);
  expect(await committed()).toBe(10);
}, 120_000);

test("nor when the fetch that waits finds out of the reset while the commit does", async () => {
  const { reader, reset, committed } = await opened();
  const { consumer } = await reader();
  for (let round = 0; round < 40; round++) {
    const from = round === 0 ? 0 : 3;
    expect(await texts(consumer, 10 - from)).toBe("0123456789".slice(from));
    // From here on a fetch waits at the end, and is told at about the time of the commit.
    await pause(round % 4);
    await reset(3);
    await Promise.all([consumer.commit(WAIT), consumer.commit(WAIT)]);
    expect(await committed(), `round ${round}`).toBe(3);
  }
}, 120_000);

test("one that was opened behind a reset begins there, and commits", async () => {
  const { reader, reset, committed } = await opened();
  await reset(7);
  const { consumer, events } = await reader();

  expect(await texts(consumer, 3)).toBe("789");
  await consumer.commit(WAIT);

  expect(await committed()).toBe(10);
  expect(events).toEqual([]);
}, 120_000);

test("commits are carried out one behind the other, however many are asked for", async () => {
  const { reader, committed } = await opened();
  const { consumer } = await reader();

  const offsets = Array.from({ length: 50 }, (_, i) => (i * 7) % 11);
  await Promise.all(offsets.map((offset) => consumer.commit({ queue: QUEUE, offset, ...WAIT })));

  expect(await committed()).toBe(offsets.at(-1));
  const refused = consumer.commit({ queue: QUEUE, offset: 11, ...WAIT });
  await expect(refused).rejects.toMatchObject({ code: "OFFSET_OUT_OF_RANGE" });
  await consumer.commit({ queue: QUEUE, offset: 5, ...WAIT });
  expect(await committed()).toBe(5);
}, 120_000);

test("what members have claimed is read and not committed; a claim is no reset", async () => {
  const { reader, nameServers, committed } = await opened();
  const { consumer, events } = await reader();
  expect(await texts(consumer, 2)).toBe("01");
  const seen: string[] = [];
  await using member = await PushConsumer.open({
    nameServers,
    consumerGroup: GROUP,
    subscriptions: { orders: "*" },
    commitIntervalMs: 100,
    listener: (message) => {
      seen.push(message.text());
    },
  });
  while (seen.length < 10 || (await committed()) !== 10) await pause(50);

  await expect(consumer.commit(WAIT)).rejects.toMatchObject({ code: "STALE_EPOCH" });
  expect(await texts(consumer, 8)).toBe("23456789");
  expect(await committed()).toBe(10);
  expect(events).toEqual([]);
  await member.close();
}, 120_000);
