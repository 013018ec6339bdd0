// Goal: who watches a broker sees what it does, over HTTP and in its status.
// Method: a group of three nodes, each with a port for that.

import { BROKER_SERVICE, NODE_SERVICE, OFFSETS_SERVICE } from "@quorumlog/protocol";
import { expect, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, createTopic, fetch as fetchQueue, publish } from "./kit/calls.ts";

async function asked(nodes: BrokerNodes, nodeId: number, path: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${nodes.broker(nodeId).metricsPort}${path}`);
}

/** By name and labels. */
async function figures(nodes: BrokerNodes, nodeId: number): Promise<Map<string, number>> {
  const text = await (await asked(nodes, nodeId, "/metrics")).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

test("a leader tells what went in and out, how long it took, and who is behind", async () => {
  const nodes = await BrokerNodes.start(3, { more: { metrics: "127.0.0.1:0" } });
  const leaderId = await nodes.leaderId();
  const channel = nodes.channel(leaderId);
  const { topicId } = await createTopic(channel, { name: "orders" });
  const place = { topicId, queue: 0 };
  const batch = batchOf(place, ["a", "b", "c"]);
  await publish(channel, { batches: [batch] });
  await publish(channel, { batches: [batchOf({ ...place, queue: 99 }, ["x"])] });
  await publish(channel, { batches: [Buffer.alloc(3)] });
  await fetchQueue(channel, { positions: [{ ...place, offset: 0 }] });
  const offsets = [{ ...place, offset: 1 }];
  const queues = [place];
  await channel.call(OFFSETS_SERVICE.claim, { group: "g", memberId: "m", epoch: 1, queues });
  await channel.call(OFFSETS_SERVICE.commit, { group: "g", memberId: "m", epoch: 1, offsets });
  const waiting = channel.duplex(BROKER_SERVICE.fetch);
  waiting.on("error", () => undefined);
  waiting.write({ positions: [{ ...place, offset: 3 }], waitMs: 30_000 });
  await expect
    .poll(async () => (await figures(nodes, leaderId)).get("quorumlog_fetches_waiting"))
    .toBe(1);

  const told = await figures(nodes, leaderId);
  const status = await channel.call(NODE_SERVICE.getStatus, {});
  waiting.cancel();

  const { term } = nodes.broker(leaderId).group.replica.status();
  const expected: [string, number][] = [
    ['quorumlog_role{role="leader"}', 1],
    ['quorumlog_role{role="follower"}', 0],
    ["quorumlog_term", term],
    ["quorumlog_leader_node", leaderId],
    ["quorumlog_topics", 1],
    ["quorumlog_messages_in_total", 3],
    ["quorumlog_bytes_in_total", batch.length],
    ["quorumlog_messages_out_total", 3],
    ["quorumlog_bytes_out_total", batch.length],
    ["quorumlog_publish_seconds_count", 2],
    ['quorumlog_refused_total{code="UNKNOWN_QUEUE"}', 1],
    ['quorumlog_refused_total{code="INVALID_BATCH"}', 1],
    ['quorumlog_consumer_lag_messages{group="g",topic="orders"}', 2],
    ["quorumlog_disk_full", 0],
    ["quorumlog_pending_bytes", 0],
  ];
  for (const [name, value] of expected) expect([name, told.get(name)]).toEqual([name, value]);
  expect(told.get("quorumlog_disk_total_bytes")).toBeGreaterThan(0);
  expect(told.get("quorumlog_disk_needed_bytes")).toBeGreaterThan(0);
  expect(told.get("quorumlog_leader_changes_total")).toBeGreaterThan(0);
  const stations = ["applied", "commit", "synced", "last"].map((name) => {
    return told.get(`quorumlog_${name}_index`) as number;
  });
  expect(stations).toEqual(stations.toSorted((a, b) => a - b));
  expect(status).toMatchObject({
    role: "leader",
    messagesIn: 3,
    bytesIn: batch.length,
    messagesOut: 3,
    fetchesWaiting: 1,
    isDiskFull: false,
    flush: "sync",
  });
  expect(status.diskFreeBytes).toBeGreaterThan(0);
  expect(status.residentBytes).toBeGreaterThan(0);
});

test("a follower tells what it has applied; alone, it is alive and not ready", async () => {
  const nodes = await BrokerNodes.start(3, { more: { metrics: "127.0.0.1:0" } });
  const leaderId = await nodes.leaderId();
  const { topicId } = await createTopic(nodes.channel(leaderId), { name: "orders" });
  const [other = 0, third = 0] = [1, 2, 3].filter((nodeId) => nodeId !== leaderId);
  await publish(nodes.channel(leaderId), { batches: [batchOf({ topicId, queue: 0 }, ["a"])] });

  await expect
    .poll(async () => (await figures(nodes, other)).get("quorumlog_messages_applied_total"))
    .toBe(1);
  expect((await asked(nodes, other, "/ready")).status).toBe(200);
  await nodes.kill(leaderId);
  await nodes.kill(third);
  await expect
    .poll(async () => (await asked(nodes, other, "/ready")).status, { timeout: 20_000 })
    .toBe(503);

  expect((await asked(nodes, other, "/health")).status).toBe(200);
  expect(await (await asked(nodes, other, "/ready")).text()).toBe("no leader is known here\n");
}, 60_000);
