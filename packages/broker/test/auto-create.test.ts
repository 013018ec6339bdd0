// Goal: a topic that nobody knows is made for whoever publishes to it, once, if that is wanted.
// Method: a group of one node, and several that ask at once.

import { ADMIN_SERVICE } from "@quorumlog/protocol";
import { MessageType } from "@quorumlog/protocol/messages";
import { expect, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { createTopic } from "./kit/calls.ts";

test("all that ask for a topic at once get the same one", async () => {
  const nodes = await BrokerNodes.start(1, {
    more: { autoCreateTopics: true, defaultQueueCount: 3 },
  });
  const channel = nodes.channel(await nodes.leaderId());

  const asked = Array.from({ length: 20 }, () =>
    createTopic(channel, { name: "orders", isAutomatic: true }),
  );
  const topics = await Promise.all(asked);

  expect(new Set(topics.map(({ topicId }) => topicId)).size).toBe(1);
  expect(topics[0]?.queueGroupIds).toHaveLength(3);
});

test("one that is there is what it is", async () => {
  const nodes = await BrokerNodes.start(1, { more: { autoCreateTopics: true } });
  const channel = nodes.channel(await nodes.leaderId());
  const messageType = MessageType.MESSAGE_TYPE_FIFO;
  const former = await createTopic(channel, { name: "orders", queueCount: 7, messageType });

  const topic = await createTopic(channel, { name: "orders", isAutomatic: true });

  expect(topic).toEqual(former);
});

test("unless brokers are set up so, it stays unknown, and one that is there is told", async () => {
  const nodes = await BrokerNodes.start(1);
  const channel = nodes.channel(await nodes.leaderId());
  await createTopic(channel, { name: "there" });

  const refused = channel.call(ADMIN_SERVICE.createTopic, { name: "orders", isAutomatic: true });

  await expect(refused).rejects.toMatchObject({ code: "UNKNOWN_TOPIC", outcome: "not-applied" });
  const told = await createTopic(channel, { name: "there", isAutomatic: true });
  expect(told.name).toBe("there");
});

test("a bad name is refused as ever", async () => {
  const nodes = await BrokerNodes.start(1, { more: { autoCreateTopics: true } });
  const channel = nodes.channel(await nodes.leaderId());

  const refused = createTopic(channel, { name: "no blanks", isAutomatic: true });

  await expect(refused).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});
