// Goal: each message is finished by some member of the group, in the order that was asked for, and
// what was not finished is handed out again.
// Method: members that come, go and fail, against small brokers and a coordinator on real ports.

import { once } from "node:events";
import { expect, test } from "vitest";
import type { ConsumedMessage, PushConsumerEvent } from "../src/index.ts";
import { consumerOf, publish, until } from "./kit/push-members.ts";
import { SmallCluster } from "./kit/small-cluster.ts";

const ORDERS = { name: "orders", topicId: 7, groupIds: [1, 2, 1, 2] };

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const numberOf = (message: ConsumedMessage): number => Number(message.text());
const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);

test("every message is handed out once, so many at a time, and committed", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  await publish(cluster, 0, 500);
  const seen: number[] = [];
  let running = 0;
  let runningMax = 0;
  const consumer = await consumerOf(cluster, {
    concurrency: 8,
    listener: async (message) => {
      running += 1;
      runningMax = Math.max(runningMax, running);
      await pause(1);
      running -= 1;
      seen.push(numberOf(message));
    },
  });
  await until(() => seen.length >= 500);
  await consumer.close();

  expect(sorted(seen)).toEqual(range(500));
  expect(runningMax).toBe(8);
  for (const [queue, groupId] of ORDERS.groupIds.entries()) {
    const group = cluster.groups[groupId - 1] as (typeof cluster.groups)[0];
    const { endOffset } = group.queue(7, queue);
    expect(group.offsets.committed("billing", 7, queue)).toBe(endOffset);
  }
});

test.each(["orderly", "per-key"] as const)(
  "%s: messages of a group are handed out one behind the other, also when one fails",
  async (order) => {
    const cluster = await SmallCluster.open(2, [ORDERS]);
    await publish(cluster, 0, 300);
    const seen: number[] = [];
    const running = new Set<string>();
    let failures = 0;
    let overlaps = 0;
    await consumerOf(cluster, {
      order,
      listener: async (message, { attempt }) => {
        const group = message.messageGroup ?? "";
        if (running.has(group)) overlaps += 1;
        running.add(group);
        await pause(Math.random() * 2);
        running.delete(group);
        if (numberOf(message) % 7 === 0 && attempt < 3) {
          failures += 1;
          throw new Error("not yet");
        }
        seen.push(numberOf(message));
      },
    });
    await until(() => seen.length >= 300);

    expect({ failures, overlaps }).toEqual({ failures: 2 * 43, overlaps: 0 });
    for (let group = 0; group < 10; group++) {
      const own = seen.filter((n) => n % 10 === group);
      expect(own).toEqual(sorted(own));
    }
    expect(sorted(seen)).toEqual(range(300));
  },
);

test("a new member takes queues over, and gives them back when it leaves", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  const seen: number[] = [];
  const events: PushConsumerEvent[] = [];
  const options = {
    onEvent: (event: PushConsumerEvent) => events.push(event),
    listener: async (message: ConsumedMessage): Promise<void> => {
      await pause(1);
      seen.push(numberOf(message));
    },
  };
  const first = await consumerOf(cluster, options);
  await publish(cluster, 0, 200);
  const second = await consumerOf(cluster, options);
  await publish(cluster, 200, 400);
  await until(() => new Set(seen).size === 400);
  await second.close();
  await publish(cluster, 400, 600);
  await until(() => new Set(seen).size === 600);
  await first.close();

  expect(sorted([...new Set(seen)])).toEqual(range(600));
  const sizes = events.flatMap((event) => (event.type === "assigned" ? [event.queues.length] : []));
  expect(new Set(sizes)).toEqual(new Set([4, 2]));
  // What was handed out as the queue was lost may come twice, and no more than that.
  expect(seen.length).toBeLessThan(700);
});

test("what was not finished is handed out again to the next member", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  await publish(cluster, 0, 50);
  const first = await consumerOf(cluster, {
    closeTimeoutMs: 50,
    listener: async (message, { signal }) => {
      if (numberOf(message) % 10 !== 3) return;
      await new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(new Error("lost")));
      });
    },
  });
  await pause(100);
  await first.close();
  const seen: number[] = [];
  await consumerOf(cluster, {
    listener: (message) => {
      seen.push(numberOf(message));
    },
  });
  await until(() => [3, 13, 23, 33, 43].every((n) => seen.includes(n)));

  expect(seen).toContain(3);
});

test("broadcasting: each member gets everything", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  await publish(cluster, 0, 100);
  const seen: [number[], number[]] = [[], []];
  for (const list of seen)
    await consumerOf(cluster, {
      mode: "broadcasting",
      startFrom: "earliest",
      listener: (message) => {
        list.push(numberOf(message));
      },
    });
  await until(() => seen.every((list) => list.length === 100));

  expect(seen.map(sorted)).toEqual([range(100), range(100)]);
});

test("it goes on while leaders die, of the coordinator's group, too", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  const seen: number[] = [];
  await consumerOf(cluster, {
    listener: (message) => {
      seen.push(numberOf(message));
    },
  });
  await publish(cluster, 0, 100);
  for (const group of cluster.groups) {
    await group.kill(group.leaderNodeId);
    group.elect(group.leaderNodeId + 1);
  }
  await publish(cluster, 100, 200);
  await until(() => new Set(seen).size === 200);

  expect(seen.length).toBeLessThan(400);
});

test("paused it hands nothing out and fetches nothing, resumed it goes on", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  let count = 0;
  const consumer = await consumerOf(cluster, {
    listener: () => {
      count += 1;
    },
  });
  const fetches = (): number => cluster.groups.reduce((n, group) => n + group.fetches.length, 0);
  await until(() => fetches() >= 2);
  consumer.pause();
  // The fetches that wait are answered; no other ones follow.
  await publish(cluster, 0, 20);
  await pause(50);
  const before = fetches();
  await publish(cluster, 20, 40);
  await pause(50);
  const paused = { count, fetches: fetches() - before };
  consumer.resume();
  await until(() => count === 40);

  expect(paused).toEqual({ count: 0, fetches: 0 });
});

test("per-key: paused, it hands out nothing that waits for its key, nor what failed", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  await publish(cluster, 0, 100);
  let handedOut = 0;
  const consumer = await consumerOf(cluster, {
    order: "per-key",
    concurrency: 4,
    listener: async () => {
      handedOut += 1;
      await pause(1);
      if (handedOut % 5 === 0) throw new Error("not yet");
    },
  });
  await until(() => handedOut >= 10);
  consumer.pause();
  await pause(50);
  const paused = handedOut;
  await pause(100);
  const later = handedOut;
  consumer.resume();
  await until(() => handedOut >= 120);

  expect(later).toBe(paused);
});

test("close waits for listeners at work, and for nothing that waits or has failed", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  await publish(cluster, 0, 100);
  let handedOut = 0;
  let failed = 0;
  let finished = 0;
  const consumer = await consumerOf(cluster, {
    order: "per-key",
    concurrency: 4,
    retryMs: 30_000,
    closeTimeoutMs: 600_000,
    listener: async (message) => {
      handedOut += 1;
      if (numberOf(message) % 2 === 0) {
        failed += 1;
        throw new Error("not before others are back");
      }
      await pause(50);
      finished += 1;
    },
  });
  await until(() => failed > 0);
  const before = handedOut;
  await consumer.close();

  expect(handedOut).toBe(before);
  expect(finished + failed).toBe(handedOut);
});

test("behind a message that is not finished, so much is handed out and no more", async () => {
  const cluster = await SmallCluster.open(2, [{ ...ORDERS, groupIds: [1] }]);
  const producer = await cluster.producer({ timeoutMs: 20_000 });
  for (let sent = 0; sent < 80_000; sent += 20_000)
    await Promise.all(range(20_000).map(() => producer.send("orders", { body: "x" })));
  let count = 0;
  const hold = new AbortController();
  await consumerOf(cluster, {
    listener: async ({ offset }) => {
      count += 1;
      if (offset === 0) await once(hold.signal, "abort");
    },
  });
  await until(() => count === 65_536);
  await pause(50);
  const behind = count;
  hold.abort();
  await until(() => count === 80_000);

  expect(behind).toBe(65_536);
});

test("without a listener it is iterated: whoever asks for the next has finished one", async () => {
  const cluster = await SmallCluster.open(2, [{ ...ORDERS, groupIds: [1] }]);
  await publish(cluster, 0, 10);
  const consumer = await consumerOf(cluster);
  const seen: number[] = [];
  for await (const message of consumer) {
    seen.push(numberOf(message));
    if (seen.length === 5) break;
  }
  await consumer.close();

  expect(seen).toEqual([0, 1, 2, 3, 4]);
  expect(cluster.first.offsets.committed("billing", 7, 0)).toBe(4);
});

test("a loop that is left has not finished its last message: the next one has", async () => {
  const cluster = await SmallCluster.open(2, [{ ...ORDERS, groupIds: [1] }]);
  await publish(cluster, 0, 10);
  const consumer = await consumerOf(cluster);
  const seen: number[] = [];
  for await (const message of consumer) {
    seen.push(numberOf(message));
    if (seen.length === 3) break;
  }
  for await (const message of consumer) {
    seen.push(numberOf(message));
    if (seen.length === 11) break;
  }
  await consumer.close();

  expect(seen).toEqual([0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(cluster.first.offsets.committed("billing", 7, 0)).toBe(9);
});

test("what cannot be finished is passed over after so many attempts", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  await publish(cluster, 0, 10);
  const events: string[] = [];
  const seen: number[] = [];
  await consumerOf(cluster, {
    attemptsMax: 2,
    onEvent: ({ type }) => events.push(type),
    listener: (message) => {
      if (numberOf(message) === 4) throw new Error("poison");
      seen.push(numberOf(message));
    },
  });
  await until(() => seen.length === 9 && events.includes("given-up"));

  expect(events.filter((type) => type === "failed")).toHaveLength(2);
});

test("another subscription is refused; options are checked all at once", async () => {
  const cluster = await SmallCluster.open(2, [ORDERS]);
  await consumerOf(cluster, { listener: () => undefined });

  await expect(consumerOf(cluster, { subscriptions: { other: "*" } })).rejects.toMatchObject({
    code: "SUBSCRIPTION_MISMATCH",
  });
  const wrong = { subscriptions: { orders: "a | b" }, order: "any", listener: 5 } as never;
  await expect(consumerOf(cluster, wrong)).rejects.toMatchObject({
    problems: [{ field: "subscriptions" }, { field: "order" }, { field: "listener" }],
  });
});
