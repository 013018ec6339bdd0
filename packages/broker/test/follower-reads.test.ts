// Goal: who reads far from the end is sent to a follower, which has the same; near it, to nobody.
// Method: three nodes that keep little in memory, and a queue with more than that.

import { expect, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, bodiesOf, createTopic, fetch, publish } from "./kit/calls.ts";

const MIB = 1024 * 1024;
const COUNT = 80;

async function filled(
  more: object,
  queues = 1,
): Promise<{ nodes: BrokerNodes; leaderId: number; place: { topicId: number; queue: number } }> {
  const tuning = { tailBytesMax: MIB, electionMs: 2_000, heartbeatMs: 200 };
  const nodes = await BrokerNodes.start(3, { tuning, more });
  const leaderId = await nodes.leaderId();
  const { topicId } = await createTopic(nodes.channel(leaderId), { name: "orders" });
  const place = { topicId, queue: 0 };
  for (let i = 0; i < COUNT; i++)
    await publish(nodes.channel(leaderId), {
      batches: [batchOf({ ...place, queue: i % queues }, [`${i}`.padEnd(100_000, "x")])],
    });
  return { nodes, leaderId, place };
}

test("far from the end a follower is suggested, up to where memory begins", async () => {
  const { nodes, leaderId, place } = await filled({ followerReadBytes: 2 * MIB });

  const far = await fetch(nodes.channel(leaderId), { positions: [{ ...place, offset: 0 }] });
  const [told] = far.queues;
  const follower = told?.suggestedNodeId ?? 0;
  const until = told?.suggestedUntilOffset ?? 0;
  const near = await fetch(nodes.channel(leaderId), { positions: [{ ...place, offset: until }] });

  expect([1, 2, 3].filter((nodeId) => nodeId !== leaderId)).toContain(follower);
  // A MiB is ten of these, and samples are one MiB apart.
  expect(until).toBeGreaterThan(COUNT - 35);
  expect(until).toBeLessThan(COUNT - 5);
  expect(near.queues[0]?.suggestedNodeId).toBe(0);
  expect(bodiesOf(near).length).toBeGreaterThan(0);
  const same = await fetch(nodes.channel(follower), { positions: [{ ...place, offset: 0 }] });
  // Each as much as there was time for.
  const [ours, theirs] = [bodiesOf(far), bodiesOf(same)];
  const count = Math.min(ours.length, theirs.length);
  expect(count).toBeGreaterThan(0);
  expect(theirs.slice(0, count)).toEqual(ours.slice(0, count));
  expect(same.queues[0]?.suggestedNodeId).toBe(0);
});

test("if that is not wanted, or nobody is there, the leader is read from", async () => {
  const { nodes, leaderId, place } = await filled({ followerReadBytes: 0 });
  const positions = [{ ...place, offset: 0 }];

  const never = await fetch(nodes.channel(leaderId), { positions });

  expect(never.queues[0]?.suggestedNodeId).toBe(0);
});

test("the queues of all are read from one follower: the other one is the majority's", async () => {
  const { nodes, leaderId, place } = await filled({ followerReadBytes: MIB }, 4);
  const positions = [0, 1, 2, 3].map((queue) => ({ ...place, queue, offset: 0 }));

  const suggested = new Set<number>();
  // One that is not reached in time is told next time.
  for (let i = 0; i < 8; i++) {
    const told = await fetch(nodes.channel(leaderId), { positions });
    for (const { suggestedNodeId } of told.queues) suggested.add(suggestedNodeId ?? 0);
  }

  expect(suggested.size).toBe(1);
  expect(suggested).not.toContain(0);
  expect(suggested).not.toContain(leaderId);
});
