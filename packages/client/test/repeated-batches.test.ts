// Goal: what is sent again says that it is, and its outcome is that of all attempts.
// Method: a producer against a small broker on a real port, which refuses, and loses answers.

import { RecordBatch } from "@quorumlog/protocol";
import { expect, test } from "vitest";
import { OperationError } from "../src/index.ts";
import { SmallCluster } from "./kit/small-cluster.ts";

const ORDERS = { name: "orders", topicId: 7, groupIds: [1] };

test("what was not answered says so when it is sent again; what was refused does not", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer();
  const attempts: { isRepeated: boolean; sequence: number }[] = [];
  cluster.first.onPublish = (nodeId, { batches }) => {
    if (nodeId !== cluster.first.leaderNodeId) return undefined;
    const batch = RecordBatch.check(batches[0] as Buffer) as RecordBatch;
    attempts.push({ isRepeated: batch.isRepeated, sequence: batch.sequence });
    return attempts.length === 1 ? new OperationError("OVERLOADED", "too much waits") : undefined;
  };
  cluster.first.lostAnswers = 1;

  await producer.send("orders", { body: "once" });

  expect(attempts).toEqual([
    { isRepeated: false, sequence: 1 },
    { isRepeated: false, sequence: 1 },
    { isRepeated: true, sequence: 1 },
  ]);
  expect(cluster.bodies(7, 0)).toEqual(["once"]);
});

test("what may be stored is not told as not applied because its topic is gone", async () => {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const producer = await cluster.producer({ timeoutMs: 20_000 });
  let attempts = 0;
  // Of a broker that knows more than the route.
  const gone = new OperationError("UNKNOWN_TOPIC", "it was deleted", { metadataVersion: 1_000 });
  cluster.first.onPublish = (nodeId) => {
    if (nodeId !== cluster.first.leaderNodeId) return undefined;
    attempts += 1;
    return attempts === 1 ? undefined : gone;
  };
  cluster.first.lostAnswers = 1;

  const sent = producer.send("orders", { body: "once" });

  await expect(sent).rejects.toMatchObject({ code: "UNKNOWN_TOPIC", outcome: "unknown" });
  expect(cluster.bodies(7, 0)).toEqual(["once"]);
});
