// Goal: what was acknowledged is there behind the next leader, once, though it was published again.
// Method: three nodes; the leader is killed between two attempts at the same batch.

import { BROKER_SERVICE } from "@quorumlog/protocol";
import { expect, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, createTopic, publish, storedBodies } from "./kit/calls.ts";

test("a batch that is repeated to the next leader is stored once", async () => {
  const nodes = await BrokerNodes.start(3);
  const first = await nodes.leaderId();
  const { topicId } = await createTopic(nodes.channel(first), { name: "orders" });
  const place = { topicId, queue: 0 };
  const batches = [batchOf({ ...place, sequence: 1 }, ["once"])];
  await publish(nodes.channel(first), { batches });

  await nodes.kill(first);
  const next = await nodes.leaderId();
  const repeated = await publish(nodes.channel(next), { batches });
  await publish(nodes.channel(next), { batches: [batchOf({ ...place, sequence: 2 }, ["twice"])] });

  expect(repeated.results[0]).toMatchObject({ baseOffset: 0, isDuplicate: true });
  expect(await storedBodies(nodes.channel(next), place)).toEqual(["once", "twice"]);
});

test("whoever does not lead says who does", async () => {
  const nodes = await BrokerNodes.start(3);
  const leaderId = await nodes.leaderId();
  const { topicId } = await createTopic(nodes.channel(leaderId), { name: "orders" });
  const other = (leaderId % 3) + 1;

  const reply = await publish(nodes.channel(other), {
    batches: [batchOf({ topicId, queue: 0 }, ["x"])],
  });

  expect(reply.error).toMatchObject({ code: "NOT_LEADER", leader: { nodeId: leaderId } });
});

test("after a restart everything is read that was, and goes on where it was", async () => {
  const nodes = await BrokerNodes.start(1);
  const { topicId } = await createTopic(nodes.channel(await nodes.leaderId()), { name: "orders" });
  const place = { topicId, queue: 3 };
  await publish(nodes.channel(1), { batches: [batchOf({ ...place, sequence: 1 }, ["a", "b"])] });

  await nodes.kill(1);
  await nodes.open(1);
  await nodes.leaderId();
  const again = await publish(nodes.channel(1), {
    batches: [
      batchOf({ ...place, sequence: 1 }, ["a", "b"]),
      batchOf({ ...place, sequence: 2 }, ["c"]),
    ],
  });

  expect(again.results.map(({ baseOffset }) => baseOffset)).toEqual([0, 2]);
  expect(await storedBodies(nodes.channel(1), place)).toEqual(["a", "b", "c"]);
});

test("who has not heard of a topic yet asks before it says that there is none", async () => {
  const latencyMs = { min: 80, max: 80 };
  const tuning = { electionMs: 4_000, heartbeatMs: 500 };
  const nodes = await BrokerNodes.start(3, { latencyMs, tuning });
  const leaderId = await nodes.leaderId();
  const behind = nodes.channel((leaderId % 3) + 1);
  const { topicId } = await createTopic(nodes.channel(leaderId), { name: "orders" });

  const [range, found, made] = await Promise.all([
    behind.call(BROKER_SERVICE.queryOffsets, { topicId, queue: 0, storeTimestampMs: -1 }),
    behind.call(BROKER_SERVICE.queryByKey, { topicId, key: "order 7" }),
    createTopic(behind, { name: "orders", isAutomatic: true }).catch((error: unknown) => error),
  ]);

  expect(range).toMatchObject({ firstOffset: 0, endOffset: 0 });
  expect(found.queues).toEqual([]);
  expect(made).toMatchObject({ code: "NOT_LEADER" });
}, 60_000);
