// Goal: whoever asks is told which producer groups publish to a topic, and which of their producers
// are there; the first outlives the leader, and neither costs a record for each publish.
// Method: publish streams over real sockets to a group of three; and the state machine by itself.

import { setTimeout as pause } from "node:timers/promises";
import { BROKER_SERVICE, type RpcChannel } from "@quorumlog/protocol";
import {
  type ListProducersReply,
  MessageType,
  type ProducerNotice,
  type PublishReply,
  type PublishRequest,
} from "@quorumlog/protocol/messages";
import { expect, onTestFinished, test } from "vitest";
import { ProducerSessions } from "../src/rpc/producer-sessions.ts";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, createTopic, fetch, publish } from "./kit/calls.ts";
import { TestMachine } from "./kit/machines.ts";

const HOUR_MS = 3_600_000;
const LOOK_MS = 50;

/** A stream that stays. */
class ProducerStream {
  readonly #call: { write(message: PublishRequest.$Properties): unknown; end(): void };
  readonly #waiting: ((reply: PublishReply) => void)[] = [];

  constructor(channel: RpcChannel) {
    const call = channel.duplex(BROKER_SERVICE.publish);
    this.#call = call;
    call.on("data", (reply: PublishReply) => this.#waiting.shift()?.(reply));
    call.on("error", () => undefined);
    onTestFinished(() => {
      call.cancel();
    });
  }

  publish(topicId: number, producer?: ProducerNotice.$Properties): Promise<PublishReply> {
    const batches = [batchOf({ topicId, queue: 0 }, ["a"])];
    const answered = new Promise<PublishReply>((resolve) => {
      this.#waiting.push(resolve);
    });
    this.#call.write({ requestId: 1, batches, producer: producer ?? null });
    return answered;
  }

  end(): void {
    this.#call.end();
  }
}

function notesFrom(first: number, count: number): object[] {
  return Array.from({ length: count }, (_, i) => ({ producerGroup: `g${first + i}`, topicId: 1 }));
}

async function listed(
  channel: RpcChannel,
  isSo: (reply: ListProducersReply) => boolean,
): Promise<ListProducersReply> {
  for (;;) {
    const reply = await channel.call(BROKER_SERVICE.listProducers, {});
    if (isSo(reply)) return reply;
    await pause(LOOK_MS);
  }
}

test("a producer is told of while it has its stream, and its group after that", async () => {
  const nodes = await BrokerNodes.start(1);
  const channel = nodes.channel(await nodes.leaderId());
  const { topicId } = await createTopic(channel, { name: "orders" });
  const stream = new ProducerStream(channel);
  const producer = { producerGroup: "shops", clientId: "shop-1", topicIds: [topicId] };

  expect((await stream.publish(topicId, producer)).error).toBeNull();
  const there = await listed(channel, ({ topics }) => topics.length === 1);
  expect(there.producers).toMatchObject([
    { producerGroup: "shops", clientId: "shop-1", topicIds: [topicId] },
  ]);
  expect(there.producers[0]?.address).toMatch(/^127\.0\.0\.1:\d+$/u);
  expect(there.topics).toMatchObject([{ producerGroup: "shops", topicId }]);
  stream.end();
  const gone = await listed(channel, ({ producers }) => producers.length === 0);

  expect(gone.topics).toEqual(there.topics);
});

test("the next leader knows the groups, and the producers that have come to it", async () => {
  const nodes = await BrokerNodes.start(3);
  const former = await nodes.leaderId();
  const { topicId } = await createTopic(nodes.channel(former), { name: "orders" });
  const topicIds = [topicId];
  const shop = new ProducerStream(nodes.channel(former));
  await shop.publish(topicId, { producerGroup: "shops", clientId: "shop-1", topicIds });
  const before = await listed(nodes.channel(former), ({ topics }) => topics.length === 1);

  await nodes.kill(former);
  const channel = nodes.channel(await nodes.leaderId());
  const after = await listed(channel, () => true);
  expect(after.producers).toEqual([]);
  expect(after.topics).toEqual(before.topics);
  const stock = new ProducerStream(channel);
  await stock.publish(topicId, { producerGroup: "stock", clientId: "stock-1", topicIds });

  const both = await listed(channel, ({ topics }) => topics.length === 2);
  expect(both.producers.map(({ clientId }) => clientId)).toEqual(["stock-1"]);
});

test("however much is published, a group and a topic are one record", async () => {
  const nodes = await BrokerNodes.start(1);
  const nodeId = await nodes.leaderId();
  const channel = nodes.channel(nodeId);
  const { topicId } = await createTopic(channel, { name: "orders" });
  const streams = [1, 2, 3].map(() => new ProducerStream(channel));
  const topicIds = [topicId];
  for (const [i, stream] of streams.entries())
    await stream.publish(topicId, { producerGroup: "shops", clientId: `shop-${i}`, topicIds });
  await listed(channel, ({ topics }) => topics.length === 1);
  const { nextOffset: former } = nodes.broker(nodeId).group.replica.status();

  for (let i = 0; i < 20; i++) await Promise.all(streams.map((stream) => stream.publish(topicId)));
  const asked = { producerGroup: "shops", clientId: "shop-3", topicIds };
  await new ProducerStream(channel).publish(topicId, asked);
  await listed(channel, ({ producers }) => producers.length === 4);
  await pause(1_000);

  expect(nodes.broker(nodeId).group.replica.status().nextOffset).toBe(former + 61);
});

test("a producer that says what none is, or another one, is refused with the field", async () => {
  const nodes = await BrokerNodes.start(1);
  const channel = nodes.channel(await nodes.leaderId());
  const { topicId } = await createTopic(channel, { name: "orders" });
  const batches = [batchOf({ topicId, queue: 0 }, ["a"])];
  const refusal = async (producer: ProducerNotice.$Properties): Promise<string> =>
    (await publish(channel, { batches, producer })).error?.problems?.[0]?.field ?? "";

  expect(await refusal({ producerGroup: "no/name", clientId: "a" })).toBe(
    "producer.producer_group",
  );
  expect(await refusal({ producerGroup: "shops", clientId: "" })).toBe("producer.client_id");
  expect(await refusal({ producerGroup: "shops", clientId: "a\u001b[2J" })).toBe(
    "producer.client_id",
  );
  const many = Array.from({ length: 10_001 }, (_, i) => i);
  expect(await refusal({ producerGroup: "shops", clientId: "a", topicIds: many })).toBe(
    "producer.topic_ids",
  );
  const stream = new ProducerStream(channel);
  await stream.publish(topicId, { producerGroup: "shops", clientId: "a" });
  const other = await stream.publish(topicId, { producerGroup: "shops", clientId: "b" });
  expect(other.error?.code).toBe("INVALID_ARGUMENT");

  const stored = await fetch(channel, { positions: [{ topicId, queue: 0, offset: 0 }] });
  expect(stored.queues[0]?.endOffset).toBe(1);
});

test("a group is noted again after an hour, and not with a topic that is gone", () => {
  const machine = new TestMachine();
  machine.execute({ registerGroup: { groupId: 1, name: "broker-a" } });
  const messageType = MessageType.MESSAGE_TYPE_NORMAL;
  const made = machine.execute({ createTopic: { name: "orders", messageType, queueCount: 1 } });
  const topicId = made.topic?.topicId ?? 0;
  const notes = [{ producerGroup: "shops", topicId }];
  const { producerGroups } = machine.machine;
  const isDue = (): boolean => producerGroups.isDue("shops", topicId, machine.now);

  expect(isDue()).toBe(true);
  const since = machine.now;
  machine.execute({ noteProducers: { notes } });
  expect(isDue()).toBe(false);
  machine.now += HOUR_MS;
  expect(isDue()).toBe(true);
  const seen = machine.now;
  machine.execute({ noteProducers: { notes } });
  expect([...producerGroups.entries()]).toEqual([{ group: "shops", topicId, since, seen }]);

  machine.execute({ noteProducers: { notes: [{ producerGroup: "shops", topicId: 99 }] } });
  expect(producerGroups.rowCount).toBe(1);
  machine.execute({ deleteTopic: { name: "orders" } });
  expect(producerGroups.rowCount).toBe(0);
});

test("there is an end to groups in the log, and those that are known stay", () => {
  const machine = new TestMachine();
  machine.execute({ registerGroup: { groupId: 1, name: "broker-a" } });
  const messageType = MessageType.MESSAGE_TYPE_NORMAL;
  machine.execute({ createTopic: { name: "orders", messageType, queueCount: 1 } });
  for (let i = 0; i < 100; i++)
    expect(machine.execute({ noteProducers: { notes: notesFrom(i * 1_000, 1_000) } }).error).toBe(
      null,
    );

  const full = machine.execute({ noteProducers: { notes: notesFrom(100_000, 1) } });
  expect(full.error?.code).toBe("TOO_MANY");
  expect(machine.execute({ noteProducers: { notes: notesFrom(7, 1) } }).error).toBeNull();
  const tooMany = machine.execute({ noteProducers: { notes: notesFrom(0, 1_001) } });
  expect(tooMany.error?.code).toBe("INVALID_ARGUMENT");
});

test("streams beyond what a node keeps are served, and it says that there are more", () => {
  const sessions = new ProducerSessions(() => undefined);
  const stream = { address: "127.0.0.1:1", now: 0 };
  const heard = Array.from({ length: 10_001 }, (_, i) =>
    sessions.hear(undefined, { producerGroup: "g", clientId: `c${i}`, topicIds: [1] }, stream),
  );

  expect(sessions.sessions.size).toBe(10_000);
  expect(sessions.isTruncated).toBe(true);
  for (const session of heard) sessions.leave(session);
  expect(sessions.sessions.size).toBe(0);
  expect(sessions.isTruncated).toBe(false);
});
