// Goal: what is beyond the retention goes on all nodes alike, oldest first; whoever asks for it is
// told what there is.
// Method: three nodes with small segments, and calls as a client makes them.

import { BROKER_SERVICE, RecordBatchBuilder } from "@quorumlog/protocol";
import type { FetchReply } from "@quorumlog/protocol/messages";
import { expect, test } from "vitest";
import { BrokerNodes, type BrokerNodesOptions } from "./kit/broker-nodes.ts";
import { batchOf, bodiesOf, createTopic, fetch, publish } from "./kit/calls.ts";
import { FilledDisk } from "./kit/filled-disk.ts";

const KIB = 1024;
const BODY_BYTES = 10_000;
const TUNING = {
  segmentBytes: 128 * KIB,
  snapshotEveryBytes: 128 * KIB,
  electionMs: 2_000,
  heartbeatMs: 200,
};

function bodyOf(number: number): string {
  return `${number} `.padEnd(BODY_BYTES, "x");
}

/** A topic, and a queue of it with so many messages, each in a batch of its own. */
async function filled(
  count: number,
  options: BrokerNodesOptions,
): Promise<{ nodes: BrokerNodes; leaderId: number; topicId: number }> {
  const nodes = await BrokerNodes.start(3, { tuning: TUNING, ...options });
  const leaderId = await nodes.leaderId();
  const { topicId } = await createTopic(nodes.channel(leaderId), { name: "orders" });
  const builder = new RecordBatchBuilder();
  builder.add({ body: Buffer.from("keyed"), bornTimestamp: 1, keys: ["order 7"] });
  const place = { topicId, queue: 0, messageType: 1 };
  const keyed = builder.build({ ...place, producerId: 0, producerEpoch: 0, sequence: 0 });
  await publish(nodes.channel(leaderId), { batches: [keyed] });
  for (let i = 1; i < count; i++) {
    const reply = await publish(nodes.channel(leaderId), {
      batches: [batchOf({ topicId, queue: 0 }, [bodyOf(i)])],
    });
    expect(reply.error).toBeNull();
  }
  return { nodes, leaderId, topicId };
}

async function firstOffset(nodes: BrokerNodes, nodeId: number, topicId: number): Promise<number> {
  const asked = { topicId, queue: 0, storeTimestampMs: -1 };
  const range = await nodes.channel(nodeId).call(BROKER_SERVICE.queryOffsets, asked);
  return range.firstOffset;
}

async function firstOffsets(nodes: BrokerNodes, topicId: number): Promise<number[]> {
  return Promise.all([1, 2, 3].map((nodeId) => firstOffset(nodes, nodeId, topicId)));
}

test("by bytes the oldest messages go, and are found by nobody any more", async () => {
  const { nodes, leaderId, topicId } = await filled(100, {
    more: { retention: { bytes: 300_000 } },
  });
  const patience = { timeout: 20_000 };
  await expect.poll(() => firstOffset(nodes, leaderId, topicId), patience).toBeGreaterThan(50);
  await expect.poll(async () => new Set(await firstOffsets(nodes, topicId)).size, patience).toBe(1);

  const channel = nodes.channel(leaderId);
  const asked = { topicId, queue: 0, storeTimestampMs: 0 };
  const look = async () => ({
    first: await firstOffset(nodes, leaderId, topicId),
    range: await channel.call(BROKER_SERVICE.queryOffsets, asked),
    below: await fetch(channel, { positions: [{ topicId, queue: 0, offset: 3 }] }),
  });
  let { first, range, below } = await look();
  let there: FetchReply;
  // More may go meanwhile: what is compared is of one moment.
  for (;;) {
    there = await fetch(channel, { positions: [{ topicId, queue: 0, offset: first }] });
    const former = first;
    ({ first, range, below } = await look());
    if (former === first) break;
  }
  const byKey = await channel.call(BROKER_SERVICE.queryByKey, { topicId, key: "order 7" });

  expect(below.queues[0]?.error).toMatchObject({
    code: "OFFSET_OUT_OF_RANGE",
    range: { firstOffset: first, nextOffset: 100 },
  });
  expect(bodiesOf(there)).toEqual(Array.from({ length: 100 - first }, (_, i) => bodyOf(first + i)));
  expect(first).toBeLessThan(90);
  expect(range).toMatchObject({ firstOffset: first, endOffset: 100, offsetAtTime: first });
  expect(bodiesOf(byKey as unknown as FetchReply)).toEqual([]);
}, 60_000);

test("by time the oldest messages go, and a queue that is empty goes on where it was", async () => {
  const { nodes, leaderId, topicId } = await filled(20, {
    more: { retention: { milliseconds: 1_000 } },
  });
  const channel = nodes.channel(leaderId);
  const isEmpty = async (): Promise<boolean> =>
    (await firstOffset(nodes, leaderId, topicId)) === 20;

  await expect.poll(isEmpty, { timeout: 20_000 }).toBe(true);
  // It waits as it comes: a second later that may be gone, too.
  const stored = fetch(channel, {
    positions: [{ topicId, queue: 0, offset: 20 }],
    waitMs: 20_000,
  });
  const reply = await publish(channel, { batches: [batchOf({ topicId, queue: 0 }, ["next"])] });

  expect(reply.results[0]?.baseOffset).toBe(20);
  expect(bodiesOf(await stored)).toEqual(["next"]);
}, 60_000);

test("on a disk that is more used than it may, they go before their time", async () => {
  const disks = [1, 2, 3].map(() => new FilledDisk(4_000_000));
  const fileSystemOf = (nodeId: number): FilledDisk["fileSystem"] =>
    (disks[nodeId - 1] as FilledDisk).fileSystem;
  const tuning = { ...TUNING, diskReserveBytes: 128 * KIB };
  const { nodes, leaderId, topicId } = await filled(100, { tuning, fileSystemOf });
  expect(await firstOffset(nodes, leaderId, topicId)).toBe(0);

  // A quarter may be free, and less is, of a node that does not lead.
  const follower = disks[leaderId % 3] as FilledDisk;
  follower.freeBytes = 900_000;
  const isFar = async (): Promise<boolean> => (await firstOffset(nodes, leaderId, topicId)) > 60;
  await expect.poll(isFar, { timeout: 30_000 }).toBe(true);

  // Of the newest a twentieth of the disk stays, whoever fills it.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect(await firstOffset(nodes, leaderId, topicId)).toBeLessThan(85);
}, 60_000);
