// Goal: consumer groups can be looked at and moved while they work, orderly queues are one member's
// at a time, and broadcasting members go on where they were.
// Method: consumers against a NameServer and a broker group of three, on real ports.

import { onTestFinished, expect, test } from "vitest";
import {
  Admin,
  type ConsumedMessage,
  type MessageContext,
  Producer,
  PullConsumer,
  PushConsumer,
  type PushConsumerEvent,
  type PushConsumerOptions,
} from "../src/index.ts";
import { RealCluster } from "./kit/real-cluster.ts";

interface Setting {
  readonly cluster: RealCluster;
  readonly admin: Admin;
  readonly producer: Producer;
}

async function started(queueCount = 4): Promise<Setting> {
  const cluster = await RealCluster.open();
  const { nameServers } = cluster;
  const admin = await Admin.open({ nameServers });
  onTestFinished(() => admin.close());
  await admin.createTopic({ name: "orders", queueCount });
  const producer = await Producer.open({ nameServers, producerGroup: "tests" });
  onTestFinished(() => producer.close());
  return { cluster, admin, producer };
}

async function publish({ producer }: Setting, from: number, to: number): Promise<void> {
  const sends: Promise<unknown>[] = [];
  for (let i = from; i < to; i++)
    sends.push(producer.send("orders", { body: String(i), messageGroup: `g${i % 10}` }));
  await Promise.all(sends);
}

async function consumerOf(
  { cluster }: Setting,
  options: Partial<PushConsumerOptions>,
): Promise<PushConsumer> {
  const consumer = await PushConsumer.open({
    nameServers: cluster.nameServers,
    consumerGroup: "billing",
    subscriptions: { orders: "*" },
    commitIntervalMs: 100,
    closeTimeoutMs: 1_000,
    ...options,
  });
  onTestFinished(() => consumer.close());
  return consumer;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(condition, { timeout: 30_000, interval: 10 }).toBe(true);
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);
const sorted = (numbers: Iterable<number>): number[] => [...numbers].toSorted((a, b) => a - b);

test("groups are listed, and described: members, what each has, how far it is", async () => {
  const setting = await started();
  const { admin } = setting;
  await publish(setting, 0, 40);
  const seen = new Set<string>();
  const listener = ({ messageId }: ConsumedMessage): void => void seen.add(messageId);
  const a = await consumerOf(setting, { instanceId: "a", listener });
  await consumerOf(setting, { instanceId: "b", listener });
  await until(async () => (await admin.describeConsumerGroup("billing")).lag === 0);
  await until(async () => {
    const { members } = await admin.describeConsumerGroup("billing");
    return members.every(({ queues }) => queues.length === 2);
  });
  const pull = await PullConsumer.open({
    nameServers: setting.cluster.nameServers,
    consumerGroup: "reports",
  });
  onTestFinished(() => pull.close());
  await pull.assign([{ topic: "orders", queue: 0 }]);
  await expect(
    pull.commit({ queue: { topic: "orders", queue: 0 }, offset: 1_000 }),
  ).rejects.toMatchObject({ code: "OFFSET_OUT_OF_RANGE", range: { firstOffset: 0 } });
  await pull.commit({ queue: { topic: "orders", queue: 0 }, offset: 1 });

  const list = await admin.listConsumerGroups();
  const described = await admin.describeConsumerGroup("billing");
  const reports = await admin.describeConsumerGroup("reports");

  expect(list).toMatchObject([
    { group: "billing", mode: "clustering", strategy: "sticky", memberCount: 2 },
    { group: "reports", mode: "none", memberCount: 0 },
  ]);
  expect(described.members).toMatchObject([
    { memberId: "a", isConnected: true, lag: 0 },
    { memberId: "b", isConnected: true, lag: 0 },
  ]);
  expect(described.queues.map(({ queue, lag }) => [queue, lag])).toEqual([
    [0, 0],
    [1, 0],
    [2, 0],
    [3, 0],
  ]);
  expect(reports.queues).toMatchObject([{ queue: 0, committedOffset: 1 }]);
  await expect(admin.describeConsumerGroup("nobody")).rejects.toMatchObject({
    code: "UNKNOWN_GROUP",
  });
  await expect(admin.deleteConsumerGroup("billing")).rejects.toMatchObject({
    code: "GROUP_IN_USE",
  });
  await admin.deleteConsumerGroup("reports");
  await a.close();
  expect((await admin.listConsumerGroups()).map(({ group }) => group)).toEqual(["billing"]);
});

test("a group that consumes is moved: nothing goes on from the old place", async () => {
  const setting = await started();
  const { admin } = setting;
  await publish(setting, 0, 100);
  let seen: number[] = [];
  const events: PushConsumerEvent[] = [];
  for (const instanceId of ["a", "b"])
    await consumerOf(setting, {
      instanceId,
      onEvent: (event) => events.push(event),
      listener: (message) => void seen.push(Number(message.text())),
    });
  await until(async () => (await admin.describeConsumerGroup("billing")).lag === 0);
  await until(() => seen.length >= 100);
  const former = await admin.groupOffsets("billing");
  const order = { group: "billing", topic: "orders", place: "earliest" } as const;

  const planned = await admin.resetOffsets({ ...order, isDryRun: true });
  expect(await admin.groupOffsets("billing")).toEqual(former);
  seen = [];
  const moved = await admin.resetOffsets(order);
  await until(() => new Set(seen).size === 100);
  await until(async () => (await admin.describeConsumerGroup("billing")).lag === 0);

  expect(planned).toEqual(moved);
  expect(moved.map(({ from, to }) => ({ from, to }))).toEqual(
    former.map(({ committedOffset }) => ({ from: committedOffset, to: 0 })),
  );
  expect(sorted(new Set(seen))).toEqual(range(0, 100));
  expect(events.filter(({ type }) => type === "reset").length).toBeGreaterThanOrEqual(2);
  expect(events.filter((event) => event.type === "retrying" && event.work === "commit")).toEqual(
    [],
  );
});

test("a group is moved to a time, an offset, an end; what is not there is refused", async () => {
  const setting = await started(1);
  const { admin } = setting;
  await publish(setting, 0, 10);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const time = Date.now();
  await publish(setting, 10, 20);
  const moveTo = async (
    place: Parameters<Admin["resetOffsets"]>[0]["place"],
  ): Promise<number | undefined> => {
    await admin.resetOffsets({ group: "billing", topic: "orders", place });
    return (await admin.groupOffsets("billing"))[0]?.committedOffset;
  };

  expect(await moveTo({ timestamp: time })).toBe(10);
  expect(await moveTo("latest")).toBe(20);
  expect(await moveTo(7)).toBe(7);
  expect(await moveTo("earliest")).toBe(0);
  await expect(moveTo(21)).rejects.toMatchObject({
    code: "OFFSET_OUT_OF_RANGE",
    range: { nextOffset: 20 },
  });
  const wrong = { group: "billing", topic: "orders", place: 0, queues: [3] };
  await expect(admin.resetOffsets(wrong)).rejects.toMatchObject({ code: "UNKNOWN_QUEUE" });
});

test("orderly: each queue is one member's, with a token that grows as it moves", async () => {
  const setting = await started();
  const { admin } = setting;
  const seen: number[] = [];
  const tokens = new Map<string, number>();
  let steps = 0;
  const listener = (message: ConsumedMessage, { fencingToken }: MessageContext): void => {
    const name = String(message.queue);
    // Whoever writes elsewhere would refuse a lower one.
    if (fencingToken < (tokens.get(name) ?? 0)) throw new Error("the token went back");
    if (fencingToken > (tokens.get(name) ?? 0)) steps += 1;
    tokens.set(name, fencingToken);
    seen.push(Number(message.text()));
  };
  const options = { order: "orderly", listener, sessionTimeoutMs: 6_000 } as const;
  const a = await consumerOf(setting, { ...options, instanceId: "a" });
  await publish(setting, 0, 100);
  await until(() => seen.length >= 100);
  const { queues } = await admin.describeConsumerGroup("billing");
  await consumerOf(setting, { ...options, instanceId: "b" });
  await until(async () => {
    const { members } = await admin.describeConsumerGroup("billing");
    return members.every((member) => member.queues.length === 2);
  });
  await publish(setting, 100, 200);
  await until(() => seen.length >= 200);
  const closedAt = Date.now();
  await a.close();
  await publish(setting, 200, 300);
  await until(() => seen.length >= 300);
  const handedOverMs = Date.now() - closedAt;

  // Leases are given up by whoever goes: nobody waits for them.
  expect(handedOverMs).toBeLessThan(6_000);
  expect(queues.every(({ lease }) => lease?.memberId === "a")).toBe(true);
  expect(sorted(seen)).toEqual(range(0, 300));
  for (const group of range(0, 10)) {
    const own = seen.filter((n) => n % 10 === group);
    expect(own).toEqual(sorted(own));
  }
  // Two queues went to b, and two more; those that stayed were not claimed anew.
  expect(steps).toBe(4 + 2 + 2);
});

test("broadcasting: a member of a name goes on where it was, others begin at the end", async () => {
  const setting = await started();
  const seen: Record<string, number[]> = { a: [], b: [], nameless: [] };
  const open = (name: "a" | "b" | "nameless"): Promise<PushConsumer> =>
    consumerOf(setting, {
      mode: "broadcasting",
      ...(name === "nameless" ? {} : { instanceId: name }),
      listener: (message) => void seen[name]?.push(Number(message.text())),
    });
  await publish(setting, 0, 50);
  const a = await open("a");
  const b = await open("b");
  const nameless = await open("nameless");
  await until(() => seen["a"]?.length === 50 && seen["b"]?.length === 50);
  await a.close();
  await publish(setting, 50, 100);
  await until(() => seen["b"]?.length === 100 && seen["nameless"]?.length === 50);
  const again = await open("a");
  await until(() => seen["a"]?.length === 100);
  const offsets = await setting.admin.groupOffsets("billing");
  await Promise.all([again.close(), b.close(), nameless.close()]);

  expect(sorted(seen["a"] ?? [])).toEqual(range(0, 100));
  expect(sorted(seen["b"] ?? [])).toEqual(range(0, 100));
  expect(sorted(seen["nameless"] ?? [])).toEqual(range(50, 100));
  expect(new Set(offsets.map(({ memberId }) => memberId))).toEqual(new Set(["a", "b"]));
});

test("broadcasting: a reset leaves a member without offsets where it is", async () => {
  const setting = await started(1);
  const seen: number[] = [];
  const epochs: number[] = [];
  const consumer = await consumerOf(setting, {
    mode: "broadcasting",
    onEvent: (event) => {
      if (event.type === "assigned") epochs.push(event.epoch);
    },
    listener: (message) => void seen.push(Number(message.text())),
  });
  await until(() => epochs.length === 1);
  consumer.pause();
  await publish(setting, 0, 50);
  await setting.admin.resetOffsets({ group: "billing", topic: "orders", place: "earliest" });
  await until(() => epochs.length === 2);
  consumer.resume();
  await publish(setting, 50, 60);
  await until(() => seen.includes(59));

  expect(sorted(seen)).toEqual(range(0, 60));
});

test("a commit that is asked for notes what is finished, or says why not", async () => {
  const setting = await started(1);
  const { admin, cluster } = setting;
  let seen = 0;
  const consumer = await consumerOf(setting, {
    commitIntervalMs: 600_000,
    listener: () => {
      seen += 1;
    },
  });
  const committed = async (): Promise<number | undefined> =>
    (await admin.groupOffsets("billing"))[0]?.committedOffset;
  for (const count of [5, 10]) {
    await publish(setting, count - 5, count);
    await until(() => seen === count);
    // The second one waits for the first, and both are done.
    await Promise.all([consumer.commit(), consumer.commit()]);
    expect(await committed()).toBe(count);
  }

  await publish(setting, 10, 15);
  await until(() => seen === 15);
  for (const nodeId of [1, 2, 3]) await cluster.kill(nodeId);
  await expect(consumer.commit({ timeoutMs: 100 })).rejects.toMatchObject({
    advice: expect.stringMatching(/^retry/u) as unknown,
  });
  const controller = new AbortController();
  const waiting = consumer.commit({ signal: controller.signal });
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: "ABORTED" });
  await expect(consumer.commit({ timeoutMs: 0 })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});

test("whoever runs under another one's name takes its place", async () => {
  const setting = await started();
  const events: PushConsumerEvent[] = [];
  const seen: number[] = [];
  await consumerOf(setting, {
    instanceId: "a",
    onEvent: (event) => events.push(event),
    listener: () => undefined,
  });

  await consumerOf(setting, {
    instanceId: "a",
    listener: (message) => void seen.push(Number(message.text())),
  });
  await until(() => events.some(({ type }) => type === "refused"));
  await publish(setting, 0, 40);
  await until(() => seen.length === 40);

  const refused = events.find((event) => event.type === "refused");
  expect(refused).toMatchObject({ error: { code: "REPLACED" } });
});
