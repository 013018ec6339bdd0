// Goal: the kit does to processes what it says: kills, pauses, replaces, and leaves nothing behind.
// Method: one cluster of two groups; what is looked at are processes, files and statuses.

import { expect, test } from "vitest";
import { clusterOfFile } from "./kit/cluster-of-file.ts";

const clusterOf = clusterOfFile();

test("a leader that is killed is followed by another one, and comes back", async () => {
  const cluster = clusterOf();

  const killed = await cluster.killLeader(1);

  expect(await cluster.leaderOf(1)).not.toBe(killed);
  expect(cluster.node(killed).isRunning).toBe(false);
  await cluster.restart(killed);
  await cluster.until(`node ${killed} follows`, async () =>
    (await cluster.statusOf(killed))?.role === "follower" ? true : undefined,
  );
});

test("a leader that stands still is followed by another one, and finds out", async () => {
  const cluster = clusterOf();
  const paused = await cluster.leaderOf(2);

  cluster.pause(paused);
  const next = await cluster.until("another one leads", async () => {
    const leader = await cluster.leaderOf(2);
    return leader === paused ? undefined : leader;
  });

  cluster.resume(paused);
  await cluster.until(`node ${paused} follows node ${next}`, async () => {
    const status = await cluster.statusOf(paused);
    return status?.role === "follower" && status.leaderNodeId !== paused ? true : undefined;
  });
});

test("a follower is replaced by a new node with an empty folder", async () => {
  const cluster = clusterOf();
  const leader = await cluster.leaderOf(2);
  const follower = cluster.nodeIdsOf(2).find((nodeId) => nodeId !== leader) ?? 0;

  const replacement = await cluster.replace(follower);

  expect(cluster.nodeIdsOf(2)).toContain(replacement);
  expect(cluster.nodeIdsOf(2)).not.toContain(follower);
  const status = await cluster.statusOf(await cluster.leaderOf(2));
  expect(status?.group?.voterNodeIds).toContain(replacement);
  expect(status?.group?.voterNodeIds).not.toContain(follower);
});
