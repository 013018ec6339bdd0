// Goal: what a consumer tries again by itself is told, once, and that it is over; clocks that are
// set back move no deadline.
// Method: consumers against small brokers on real ports, that die and come back; the wall clock set
// back by an hour.

import { OperationError } from "@quorumlog/protocol";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { PullConsumer, type RetryEvent } from "../src/index.ts";
import { RetryNotices } from "../src/retry-notices.ts";
import { consumerOf, publish, until } from "./kit/push-members.ts";
import { SmallCluster } from "./kit/small-cluster.ts";

const ORDERS = { name: "orders", topicId: 7, groupIds: [1, 2] };
const HOUR_MS = 3_600_000;

afterEach(() => {
  vi.restoreAllMocks();
});

function isRetry(event: { readonly type: string }): event is RetryEvent {
  return event.type === "retrying" || event.type === "recovered";
}

async function losing(cluster: SmallCluster, meanwhile: () => Promise<void>): Promise<void> {
  const group = cluster.groups[1];
  const addresses = [11, 12, 13].map((nodeId) => group?.address(nodeId) ?? "");
  for (const nodeId of [11, 12, 13]) await group?.kill(nodeId);
  await meanwhile();
  for (const [i, address] of addresses.entries()) await group?.startNode(11 + i, address);
  cluster.tell();
}

test("a member tells that it cannot fetch and commit, and that it can again", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  const events: RetryEvent[] = [];
  let count = 0;
  await consumerOf(cluster, {
    commitIntervalMs: 100,
    onEvent: (event) => {
      if (isRetry(event)) events.push(event);
    },
    listener: async () => {
      count += 1;
      // What it has then is finished when nobody takes the commit.
      if (count > 20) await until(() => events.some(({ type }) => type === "retrying"));
    },
  });
  await publish(cluster, 0, 20);
  await until(() => count === 20);
  await publish(cluster, 20, 40);
  const told = (type: string, work: string): RetryEvent[] =>
    events.filter((event) => event.type === type && event.work === work);

  await losing(cluster, async () => {
    await until(() => told("retrying", "fetch").length > 0);
    await until(() => told("retrying", "commit").length > 0);
  });
  await until(() => told("recovered", "fetch").length > 0);
  await until(() => told("recovered", "commit").length > 0);

  const [first] = told("retrying", "fetch");
  expect(first).toMatchObject({ groupId: 2, error: { code: expect.any(String) } });
  expect(first?.type === "retrying" && first.error.advice).toBeTruthy();
  // A word for each cause, however often it was tried.
  expect(told("retrying", "fetch").length).toBeLessThan(6);
  expect(events.every(({ groupId }) => groupId !== 1)).toBe(true);
}, 60_000);

test("a pull consumer tells it, too", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  const events: RetryEvent[] = [];
  const consumer = await PullConsumer.open({
    nameServers: [cluster.nameServer.address],
    onEvent: (event) => {
      if (isRetry(event)) events.push(event);
    },
  });
  onTestFinished(() => consumer.close());
  await consumer.assign(consumer.queuesOf("orders"));
  await losing(cluster, () => until(() => events.some(({ type }) => type === "retrying")));
  await until(() => events.at(-1)?.type === "recovered");

  expect(events.at(-1)).toMatchObject({ work: "fetch", groupId: 2, afterMs: expect.any(Number) });
}, 60_000);

test("of what fails and succeeds in turn there is a word now and then", () => {
  let now = 1_000;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  const told: string[] = [];
  const notices = new RetryNotices((event) => {
    told.push(event.type === "retrying" ? event.error.code : `after ${event.afterMs}`);
  });
  for (let i = 0; i < 1_000; i++) {
    notices.note("fetch", 1, new OperationError("UNAVAILABLE", "down"));
    now += 1;
    notices.note("fetch", 1, undefined);
    now += 1;
  }
  expect(told).toEqual(["UNAVAILABLE", "after 1"]);

  // Another cause is news, and so is one that was not told of for a while.
  notices.note("fetch", 1, new OperationError("TIMEOUT", "late"));
  now += 20_000;
  notices.note("fetch", 1, new OperationError("TIMEOUT", "late"));
  notices.note("fetch", 1, undefined);
  notices.note("fetch", 1, new OperationError("TIMEOUT", "late"));
  expect(told.slice(2)).toEqual(["TIMEOUT", "after 20000", "TIMEOUT"]);
});

test("a clock that is set back while somebody waits makes nobody wait for longer", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  const consumer = await PullConsumer.open({ nameServers: [cluster.nameServer.address] });
  onTestFinished(() => consumer.close());
  await consumer.assign(consumer.queuesOf("orders"));
  const polled = consumer.poll({ timeoutMs: 500 });
  const real = Date.now.bind(Date);
  vi.spyOn(Date, "now").mockImplementation(() => real() - HOUR_MS);

  expect(await polled).toEqual([]);
}, 60_000);

test("messages that fail for ever leave their places to the others, and come again", async () => {
  const cluster = await SmallCluster.open(1, [{ ...ORDERS, groupIds: [1] }]);
  const finished = new Set<number>();
  const attempts = new Map<number, number>();
  let atWork = 0;
  let atWorkMax = 0;
  await consumerOf(cluster, {
    concurrency: 2,
    listener: async (message) => {
      atWork += 1;
      atWorkMax = Math.max(atWorkMax, atWork);
      await new Promise((resolve) => setImmediate(resolve));
      atWork -= 1;
      const number = Number(message.text());
      attempts.set(number, (attempts.get(number) ?? 0) + 1);
      if (number < 6) throw new Error("poison");
      finished.add(number);
    },
  });
  await publish(cluster, 0, 100);

  await until(() => finished.size === 94);
  await until(() => [0, 1, 2, 3, 4, 5].every((number) => (attempts.get(number) ?? 0) >= 5));

  expect(atWorkMax).toBe(2);
  expect([...finished].every((number) => attempts.get(number) === 1)).toBe(true);
  expect(cluster.first.offsets.committed("billing", 7, 0)).toBeLessThanOrEqual(0);
}, 60_000);

test("orderly: what waits for a place is not handed out once its lease has ended", async () => {
  const cluster = await SmallCluster.open(2, [{ ...ORDERS, groupIds: [2, 2] }]);
  const handedOut: number[] = [];
  let hasPlace = false;
  let isLetGo = false;
  await consumerOf(cluster, {
    order: "orderly",
    concurrency: 1,
    sessionTimeoutMs: 6_000,
    listener: async ({ queue }) => {
      handedOut.push(queue);
      // The first one fails until the other one has its place.
      if (new Set(handedOut).size === 1) throw new Error("not now");
      if (hasPlace) return;
      hasPlace = true;
      await expect.poll(() => isLetGo, { timeout: 60_000 }).toBe(true);
    },
  });
  const producer = await cluster.producer({ queueSelector: ({ body }) => Number(body) });
  await Promise.all(["0", "1"].map((body) => producer.send("orders", { body })));
  await until(() => hasPlace);
  const count = handedOut.length;

  await losing(cluster, async () => {
    // Longer than a lease is.
    await new Promise((resolve) => setTimeout(resolve, 7_000));
    isLetGo = true;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(handedOut.length).toBe(count);
  });
  await until(() => handedOut.length === count + 1);
  expect(handedOut.at(-1)).toBe(handedOut[0]);
}, 60_000);
