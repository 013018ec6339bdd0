// Goal: a broker that can store nothing for a moment keeps what it may and refuses the rest with
// why and till when; nobody has to do anything for it to go on.
// Method: a small bound, and followers that stand still.

import { setTimeout as pause } from "node:timers/promises";
import { Advice, Outcome } from "@quorumlog/protocol/messages";
import { expect, test } from "vitest";
import { producerOf, queueOfKey, range, sendToEachQueue } from "../kit/clients.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";
import { plainBatch, publishEach } from "../kit/stored-batches.ts";

const BODY = "x".repeat(1_000_000);
/** Less than it takes a leader to notice that nobody follows. */
const STOOD_STILL_MS = 500;
const NOT_APPLIED: number = Outcome.OUTCOME_NOT_APPLIED;
const RETRY_HERE: number = Advice.ADVICE_RETRY_HERE;

const clusterOf = clusterOfFile({
  brokerSettings: { pendingBytesMax: 16_777_216, segmentBytes: 33_554_432 },
});

test("beyond what may wait, publishes are refused with why and till when", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  const { topicId, groupIds } = await admin.createTopic({ name: "pressed", queueCount: 2 });
  const producer = await producerOf(cluster, { queueSelector: queueOfKey });
  await cluster.failOver();
  await cluster.whole();
  await sendToEachQueue(cluster, "pressed", 2);
  const [groupId = 0] = groupIds;
  const batches = range(20).map(() => plainBatch(topicId, 0, BODY));

  const refused = await cluster.until("more waits than may", async () => {
    const leader = await cluster.leaderOf(groupId);
    const others = cluster.nodeIdsOf(groupId).filter((nodeId) => nodeId !== leader);
    for (const nodeId of others) cluster.pause(nodeId);
    const replies = publishEach(cluster, groupId, batches);
    // Of a few nobody will know before the others go on.
    await Promise.race([replies, pause(STOOD_STILL_MS)]);
    for (const nodeId of others) cluster.resume(nodeId);
    return (await replies).find(({ error }) => error?.code === "OVERLOADED")?.error ?? undefined;
  });
  // A client is patient by itself.
  const sends = range(20).map(() => producer.send("pressed", { body: BODY, keys: ["0"] }));

  expect(refused).toMatchObject({ code: "OVERLOADED", outcome: NOT_APPLIED, advice: RETRY_HERE });
  expect(refused.retryAfterMs).toBeGreaterThan(0);
  expect(refused.message).toMatch(/^\d+ MiB of publishes wait .*: slow down$/u);
  expect(await Promise.all(sends)).toHaveLength(20);
});
