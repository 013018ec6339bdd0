// Goal: a publish that is repeated is stored once, whatever happened between the two.
// Method: the bytes of one batch, sent again to whoever leads: after an election, after the log
// begins behind a snapshot, after every node has been down, to a node that was new then.

import { RecordBatchBuilder } from "@quorumlog/protocol";
import type { BatchResult } from "@quorumlog/protocol/messages";
import { expect, test } from "vitest";
import type { ProcessCluster } from "../../src/kit/process-cluster.ts";
import { producerOf, queueOfKey, range, readTopic } from "../kit/clients.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";
import { publishBatches } from "../kit/stored-batches.ts";

const MIB = 1024 * 1024;
const PRODUCER_ID = 4_242;
const MESSAGE_BYTES = MIB / 2;
/** In each group more than is retained. */
const MESSAGES = 120;

const clusterOf = clusterOfFile({
  brokerSettings: {
    messageBytesMax: MIB,
    segmentBytes: 4 * MIB,
    retentionBytes: 8 * MIB,
  },
});

function batch(topicId: number, queue: number, sequence: number): Buffer {
  const builder = new RecordBatchBuilder();
  builder.add({ body: Buffer.from(`batch ${sequence}`), bornTimestamp: 1 });
  const producer = { producerId: PRODUCER_ID, producerEpoch: 0, sequence };
  return builder.build({ topicId, queue, messageType: 1, ...producer });
}

/** A topic with one queue in each group, and a batch in each of them. */
async function publishOnce(cluster: ProcessCluster, name: string): Promise<Repeat> {
  const admin = await cluster.admin();
  const { topicId, groupIds } = await admin.createTopic({ name, queueCount: 2 });
  const publish = async (sequence: number): Promise<BatchResult.$Properties[]> =>
    Promise.all(
      groupIds.map(async (groupId, queue) => {
        const batches = [batch(topicId, queue, sequence)];
        const { results } = await publishBatches(cluster, groupId, { batches });
        return results[0] ?? {};
      }),
    );
  for (const sequence of [1, 2])
    await cluster.until("both groups have heard of the topic", async () => {
      const results = await publish(sequence);
      return results.every(({ error }) => !error) ? true : undefined;
    });
  return async () => {
    // Sent again, it is known; the next one is new.
    for (const { baseOffset, isDuplicate, error } of await publish(2))
      expect({ baseOffset, isDuplicate, code: error?.code }).toEqual({
        baseOffset: 1,
        isDuplicate: true,
        code: undefined,
      });
    for (const { error } of await publish(4)) expect(error?.code).toBe("SEQUENCE_GAP");
  };
}

/** Demands that what is repeated is stored once. */
type Repeat = () => Promise<void>;

test("a publish that is repeated to the next leader is stored once", async () => {
  const cluster = clusterOf();
  const repeat = await publishOnce(cluster, "repeated");

  await cluster.failOver();

  await repeat();
  expect(await readTopic(cluster, "repeated", 4)).toHaveLength(4);
});

test("a publish repeated behind snapshots, a restart and a new node is stored once", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  const repeat = await publishOnce(cluster, "remembered");
  await admin.createTopic({ name: "filling", queueCount: 2 });
  const producer = await producerOf(cluster, { queueSelector: queueOfKey, onFull: "wait" });
  const body = Buffer.alloc(MESSAGE_BYTES);
  await Promise.all(
    range(MESSAGES).map((i) => producer.send("filling", { body, keys: [String(i % 2)] })),
  );
  for (const groupId of cluster.groupIds)
    await cluster.until(`the log of group ${groupId} begins behind a snapshot`, async () => {
      const status = await cluster.statusOf(await cluster.leaderOf(groupId));
      return (status?.firstIndex ?? 0) > 1 ? true : undefined;
    });

  await cluster.failOver();
  await cluster.whole();
  const all = cluster.groupIds.flatMap((groupId) => cluster.nodeIdsOf(groupId));
  await Promise.all(all.map((nodeId) => cluster.kill(nodeId)));
  await Promise.all(all.map((nodeId) => cluster.restart(nodeId)));
  await repeat();

  // Who was never told of the first time knows it by the snapshot alone.
  for (const groupId of cluster.groupIds) {
    const leader = await cluster.leaderOf(groupId);
    const follower = cluster.nodeIdsOf(groupId).find((nodeId) => nodeId !== leader) ?? 0;
    const nodeId = await cluster.replace(follower);
    await admin.transferLeadership({ groupId, nodeId });
    await cluster.until(`node ${nodeId} leads`, async () =>
      (await cluster.leaderOf(groupId)) === nodeId ? true : undefined,
    );
  }
  await repeat();
});
