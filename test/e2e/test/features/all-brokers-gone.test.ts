// Goal: clients live through a time without any broker: nothing is lost, nothing is left unhandled.
// Method: kill every broker of both groups for seconds while everything is at work.

import { OperationError, Producer, PullConsumer, PushConsumer } from "@quorumlog/client";
import { expect, onTestFinished, test } from "vitest";
import { clusterOfFile } from "../kit/cluster-of-file.ts";
import { numbers, publishNumbers, sortedSet } from "../kit/publishing.ts";

const clusterOf = clusterOfFile();
const GONE_MS = 3_000;

test("producers and consumers go on after a time without any broker", async () => {
  const cluster = clusterOf();
  const { nameServers } = cluster;
  const admin = await cluster.admin();
  await admin.createTopic({ name: "gone", queueCount: 4 });
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown): void => {
    unhandled.push(error);
  };
  process.on("unhandledRejection", onUnhandled);
  const seen: Record<string, number[]> = { concurrent: [], orderly: [], all: [], pulled: [] };
  const open = async (
    kind: "all" | "concurrent" | "orderly",
    options: Pick<Parameters<typeof PushConsumer.open>[0], "instanceId" | "mode" | "order"> = {},
  ): Promise<void> => {
    const consumer = await PushConsumer.open({
      nameServers,
      consumerGroup: kind,
      subscriptions: { gone: "*" },
      commitIntervalMs: 100,
      listener: (message) => {
        seen[kind]?.push(Number(message.text()));
      },
      ...options,
    });
    onTestFinished(() => consumer.close());
  };
  await using producer = await Producer.open({ nameServers, producerGroup: "steady" });
  await open("concurrent");
  await open("orderly", { order: "orderly" });
  await open("all", { mode: "broadcasting", instanceId: "a" });
  await using pull = await PullConsumer.open({ nameServers, consumerGroup: "pulled" });
  await pull.assign(pull.queuesOf("gone"));
  const over = new AbortController();
  const sends: Promise<unknown>[] = [];
  let count = 0;
  const sending = (async () => {
    while (!over.signal.aborted) {
      const message = { body: String(count), messageGroup: `g${count % 8}` };
      sends.push(producer.send("gone", message, { timeoutMs: 60_000 }));
      count += 1;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  const pulling = (async () => {
    while (!over.signal.aborted || sortedSet(seen["pulled"] ?? []).length < count) {
      const messages = await pull.poll({ timeoutMs: 500 });
      seen["pulled"]?.push(...messages.map((message) => Number(message.text())));
      await pull.commit({ timeoutMs: 500 }).catch((error: unknown) => {
        // Told to whoever has asked, and tried again.
        if (!(error instanceof OperationError)) throw error;
      });
    }
  })();
  await cluster.until("all are at work", () => (seen["all"] ?? []).length > 20 || undefined);

  const nodeIds = cluster.groupIds.flatMap((groupId) => cluster.nodeIdsOf(groupId));
  await Promise.all(nodeIds.map((nodeId) => cluster.kill(nodeId)));
  const goneAt = count;
  await new Promise((resolve) => setTimeout(resolve, GONE_MS));
  await Promise.all(nodeIds.map((nodeId) => cluster.node(nodeId).start()));
  await cluster.until("it was sent on and on", () => count > goneAt + 100 || undefined);
  over.abort();
  await sending;
  await Promise.all(sends);
  await pulling;
  for (const kind of ["concurrent", "orderly", "all"])
    await cluster.until(`${kind}: all is there`, () => {
      return sortedSet(seen[kind] ?? []).length === count || undefined;
    });
  process.off("unhandledRejection", onUnhandled);

  for (const kind of Object.keys(seen))
    expect(sortedSet(seen[kind] ?? [])).toEqual(numbers(0, count));
  for (const key of numbers(0, 8)) {
    const order = [...new Set(seen["orderly"]?.filter((n) => n % 8 === key))];
    expect(order).toEqual(sortedSet(order));
  }
  expect(unhandled).toEqual([]);
});

test("while the metadata group is gone, queues of another group are consumed on", async () => {
  const cluster = clusterOf();
  const { nameServers } = cluster;
  const admin = await cluster.admin();
  await admin.createTopic({ name: "elsewhere", queueCount: 4, groupIds: [2] });
  const seen: Record<string, number[]> = { concurrent: [], orderly: [] };
  const lapsed = new Set<string>();
  for (const order of ["concurrent", "orderly"] as const) {
    const consumer = await PushConsumer.open({
      nameServers,
      consumerGroup: `elsewhere-${order}`,
      subscriptions: { elsewhere: "*" },
      order,
      sessionTimeoutMs: 6_000,
      commitIntervalMs: 100,
      listener: (message) => {
        seen[order]?.push(Number(message.text()));
      },
      onEvent: ({ type }) => {
        if (type === "lapsed") lapsed.add(order);
      },
    });
    onTestFinished(() => consumer.close());
  }
  await publishNumbers({ nameServers, topic: "elsewhere", from: 0, to: 50 });
  const untilSeen = (count: number): Promise<true> =>
    cluster.until(`${count} are seen`, () => {
      const counts = Object.values(seen).map((numbersSeen) => sortedSet(numbersSeen).length);
      return counts.every((each) => each === count) || undefined;
    });
  await untilSeen(50);

  const nodeIds = cluster.nodeIdsOf(1);
  await Promise.all(nodeIds.map((nodeId) => cluster.kill(nodeId)));
  await cluster.until("sessions are over", () => lapsed.size === 2 || undefined);
  await publishNumbers({ nameServers, topic: "elsewhere", from: 50, to: 100 });
  await untilSeen(100);
  await Promise.all(nodeIds.map((nodeId) => cluster.node(nodeId).start()));
  await cluster.failOver();
  await publishNumbers({ nameServers, topic: "elsewhere", from: 100, to: 150 });
  await untilSeen(150);

  for (const order of ["concurrent", "orderly"])
    expect(sortedSet(seen[order] ?? [])).toEqual(numbers(0, 150));
});
