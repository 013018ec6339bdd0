// Goal: a topic's queues spread over two broker groups, and both know of it; a group that comes
// later is used for topics that are made after it. A group that is not taken in says so, and one
// that has been finds the metadata group again without any NameServer.
// Method: two groups of one node each, and a NameServer, over real sockets.

import { NameServer } from "@quorumlog/nameserver";
import { NODE_SERVICE } from "@quorumlog/protocol";
import { MessageType } from "@quorumlog/protocol/messages";
import { expect, onTestFinished, test } from "vitest";
import type { BrokerEvent } from "../src/index.ts";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { TestMachine } from "./kit/machines.ts";
import { batchOf, bodiesOf, createTopic, fetch, publish } from "./kit/calls.ts";

async function openNameServer(): Promise<NameServer> {
  const nameServer = await NameServer.open(
    { listen: "127.0.0.1:0" },
    {
      onDefect: (error) => {
        throw error;
      },
    },
  );
  onTestFinished(() => nameServer.close());
  return nameServer;
}

test("a group with a name that another one has says so, until it has its own", async () => {
  const nameServers = [(await openNameServer()).address];
  const first = await BrokerNodes.start(1, { nameServers });
  await first.leaderId();
  const events: BrokerEvent[] = [];
  const onEvent = (event: BrokerEvent): void => {
    events.push(event);
  };
  const more = { groupName: "broker-1", onEvent };
  const second = await BrokerNodes.start(1, { nameServers, groupId: 2, firstNodeId: 2, more });

  const refusals = (): BrokerEvent[] => events.filter(({ type }) => type === "groupRefused");
  await expect.poll(() => refusals().length, { timeout: 20_000 }).toBe(1);
  expect(refusals()[0]).toMatchObject({
    groupId: 2,
    groupName: "broker-1",
    error: { code: "INVALID_ARGUMENT", message: expect.stringContaining("another group name") },
  });
  const status = await second.channel(2).call(NODE_SERVICE.getStatus, {});
  expect(status.problem).toContain('broker group 1 is called "broker-1" already');

  await second.kill(2);
  more.groupName = "broker-2";
  await second.open(2);
  const { metadata } = first.broker(1).group.machine;
  await expect.poll(() => metadata.groups().length, { timeout: 20_000 }).toBe(2);
  expect((await second.channel(2).call(NODE_SERVICE.getStatus, {})).problem).toBe("");
  expect(refusals().length).toBe(1);
});

test("the metadata group itself says that it has another one's name, and goes on", async () => {
  const nameServers = [(await openNameServer()).address];
  const events: BrokerEvent[] = [];
  const onEvent = (event: BrokerEvent): void => {
    events.push(event);
  };
  const more = { groupName: "broker-a", onEvent };
  const first = await BrokerNodes.start(1, { nameServers, more });
  await first.leaderId();
  const second = await BrokerNodes.start(1, { nameServers, groupId: 2, firstNodeId: 2 });
  const names = (): string[] =>
    first
      .broker(1)
      .group.machine.metadata.groups()
      .map(({ name }) => name);
  await expect.poll(names, { timeout: 20_000 }).toEqual(["broker-a", "broker-2"]);
  await second.kill(2);

  await first.kill(1);
  more.groupName = "broker-2";
  await first.open(1);

  await expect
    .poll(() => events.find(({ type }) => type === "groupRefused"), { timeout: 20_000 })
    .toMatchObject({ groupId: 1, error: { code: "INVALID_ARGUMENT" } });
  expect(names()).toEqual(["broker-a", "broker-2"]);
  await createTopic(first.channel(1), { name: "orders" });
});

test("a group that begins without NameServers finds the metadata group where it was", async () => {
  const nameServer = await openNameServer();
  const nameServers = [nameServer.address];
  const first = await BrokerNodes.start(1, { nameServers });
  await first.leaderId();
  const second = await BrokerNodes.start(1, { nameServers, groupId: 2, firstNodeId: 2 });
  const { metadata } = first.broker(1).group.machine;
  await expect.poll(() => metadata.groups().length, { timeout: 20_000 }).toBe(2);
  await expect
    .poll(() => second.broker(2).group.machine.metadataNodes.addresses, { timeout: 20_000 })
    .toEqual([`127.0.0.1:${first.broker(1).port}`]);

  await second.kill(2);
  await nameServer.close();
  await second.open(2);
  await createTopic(first.channel(1), { name: "later" });

  await expect
    .poll(() => second.broker(2).group.machine.metadata.topic("later"), { timeout: 20_000 })
    .toBeDefined();
});

test("more queues go to all groups in turn, and those that were there stay", () => {
  const machine = new TestMachine();
  machine.execute({ registerGroup: { groupId: 1, name: "broker-a" } });
  const made = machine.execute({
    createTopic: { name: "orders", messageType: MessageType.MESSAGE_TYPE_NORMAL, queueCount: 3 },
  });
  expect(made.topic?.queueGroupIds).toEqual([1, 1, 1]);

  machine.execute({ registerGroup: { groupId: 2, name: "broker-b" } });
  const { topic } = machine.execute({ alterTopic: { name: "orders", queueCount: 9 } });

  expect(topic?.queueGroupIds?.slice(0, 3)).toEqual([1, 1, 1]);
  expect(topic?.queueGroupIds?.slice(3).toSorted()).toEqual([1, 1, 1, 2, 2, 2]);
});

test("a topic is spread over both groups, and each serves its own queues", async () => {
  const nameServers = [(await openNameServer()).address];
  const first = await BrokerNodes.start(1, { nameServers });
  await first.leaderId();
  const second = await BrokerNodes.start(1, { nameServers, groupId: 2, firstNodeId: 2 });
  const isRegistered = (): boolean => first.broker(1).group.machine.metadata.groups().length === 2;
  while (!isRegistered()) await new Promise((resolve) => setTimeout(resolve, 10));

  const topic = await createTopic(first.channel(1), { name: "orders", queueCount: 4 });
  const knows = (): boolean =>
    second.broker(2).group.machine.metadata.topic("orders") !== undefined;
  while (!knows()) await new Promise((resolve) => setTimeout(resolve, 10));

  const { topicId, queueGroupIds } = topic;
  expect(queueGroupIds.toSorted((a, b) => a - b)).toEqual([1, 1, 2, 2]);
  for (const [queue, groupId] of queueGroupIds.entries()) {
    const [own, other] =
      groupId === 1 ? [first.channel(1), second.channel(2)] : [second.channel(2), first.channel(1)];
    const batches = [batchOf({ topicId, queue }, [`in ${queue}`])];
    const refused = await publish(other, { batches });
    expect(refused.results[0]?.error?.code).toBe("WRONG_GROUP");
    await publish(own, { batches });
    const stored = await fetch(own, { positions: [{ topicId, queue, offset: 0 }] });
    expect(bodiesOf(stored)).toEqual([`in ${queue}`]);
  }
});
