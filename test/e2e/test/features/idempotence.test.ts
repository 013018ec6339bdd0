// Goal: a publish that is repeated is stored once, whatever happened between the two.
// Method: the bytes of one batch, sent again to whoever leads: after an election, after snapshots,
// and after every node has been down.

import { RecordBatchBuilder } from "@quorumlog/protocol";
import type { BatchResult } from "@quorumlog/protocol/messages";
import { expect, test } from "vitest";
import type { ProcessCluster } from "../../src/kit/process-cluster.ts";
import { producerOf, queueOfKey, range, readTopic } from "../kit/clients.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";
import { publishBatches } from "../kit/stored-batches.ts";

const clusterOf = clusterOfFile();

const PRODUCER_ID = 4_242;
/** Of the log, between two snapshots. */
const SNAPSHOT_BYTES = 64 * 1024 * 1024;
const MESSAGE_BYTES = 1024 * 1024;

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
  for (const sequence of [1, 2]) await publish(sequence);
  return async () => {
    // Sent again, it is known; the next one is new.
    for (const { baseOffset, isDuplicate } of await publish(2))
      expect({ baseOffset, isDuplicate }).toEqual({ baseOffset: 1, isDuplicate: true });
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

test("a publish repeated behind snapshots and a restart of all is stored once", async () => {
  const cluster = clusterOf();
  const repeat = await publishOnce(cluster, "remembered");
  await (await cluster.admin()).createTopic({ name: "filling", queueCount: 2 });
  const producer = await producerOf(cluster, { queueSelector: queueOfKey, onFull: "wait" });
  const body = Buffer.alloc(MESSAGE_BYTES);
  await Promise.all(
    range(Math.ceil((2.2 * SNAPSHOT_BYTES) / MESSAGE_BYTES)).map((i) =>
      producer.send("filling", { body, keys: [String(i % 2)] }),
    ),
  );

  await cluster.failOver();
  await cluster.whole();
  const all = cluster.groupIds.flatMap((groupId) => cluster.nodeIdsOf(groupId));
  await Promise.all(all.map((nodeId) => cluster.kill(nodeId)));
  await Promise.all(all.map((nodeId) => cluster.restart(nodeId)));

  await repeat();
  expect(await readTopic(cluster, "remembered", 4)).toHaveLength(4);
});
