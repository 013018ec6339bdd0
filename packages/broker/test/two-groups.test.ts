// Goal: a topic's queues spread over two broker groups, and both know of it; a group that comes
// later is used for topics that are made after it.
// Method: two groups of one node each, and a NameServer, over real sockets.

import { NameServer } from "@quorumlog/nameserver";
import { expect, onTestFinished, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, bodiesOf, createTopic, fetch, publish } from "./kit/calls.ts";

test("a topic is spread over both groups, and each serves its own queues", async () => {
  const nameServer = await NameServer.open(
    { listen: "127.0.0.1:0" },
    {
      onDefect: (error) => {
        throw error;
      },
    },
  );
  onTestFinished(() => nameServer.close());
  const nameServers = [nameServer.address];
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
