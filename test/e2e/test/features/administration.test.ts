// Goal: who belongs to a broker group, who leads it and what is stored in it is an operator's to
// see and to change, while leaders die.
// Method: the admin's calls against groups whose leaders are killed before or meanwhile.

import { expect, test } from "vitest";
import { inOrder, range, readTopic, sendToEachQueue } from "../kit/clients.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";

const clusterOf = clusterOfFile();

test("leadership goes to the node that it is sent to", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await cluster.failOver();
  await cluster.whole();

  for (const groupId of cluster.groupIds) {
    const leader = await cluster.leaderOf(groupId);
    const nodeId = cluster.nodeIdsOf(groupId).find((each) => each !== leader) ?? 0;
    await cluster.until(`node ${nodeId} takes over`, async () => {
      try {
        await admin.transferLeadership({ groupId, nodeId });
      } catch {
        // It has come back just now, and has to catch up.
        return undefined;
      }
      return (await cluster.leaderOf(groupId)) === nodeId ? true : undefined;
    });
  }
});

test("every node says how it is, and how far it has come", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "looked-at" });
  await sendToEachQueue(cluster, "looked-at", 4);
  await cluster.failOver();
  await cluster.whole();

  for (const groupId of cluster.groupIds) {
    const leader = await cluster.leaderOf(groupId);
    for (const nodeId of cluster.nodeIdsOf(groupId)) {
      const status = await cluster.until(`node ${nodeId} has applied everything`, async () => {
        const seen = await admin.nodeStatus({ groupId, nodeId }).catch(() => undefined);
        const isAll = seen?.leaderNodeId === leader && seen.appliedIndex === seen.lastIndex;
        return isAll ? seen : undefined;
      });
      const { lastIndex, syncedIndex, commitIndex, appliedIndex } = status;
      expect(status).toMatchObject({ nodeId, groupId, clusterId: "quorumlog" });
      expect(status.role).toBe(nodeId === leader ? "leader" : "follower");
      expect([syncedIndex, commitIndex, appliedIndex]).toEqual(range(3).map(() => lastIndex));
      expect(status.progress.length).toBe(nodeId === leader ? 3 : 0);
    }
  }
});

test("a node is added, and one is removed", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "growing" });
  await sendToEachQueue(cluster, "growing", 4);
  await cluster.failOver();
  await cluster.whole();

  for (const groupId of cluster.groupIds) {
    const { nodeId, peer } = await cluster.join(groupId);
    const added = await admin.addNode({ groupId, nodeId, peerAddress: peer });
    const leader = await cluster.leaderOf(groupId);
    const leaving = cluster.nodeIdsOf(groupId).find((each) => ![leader, nodeId].includes(each));
    const removed = await admin.removeNode({ groupId, nodeId: leaving ?? 0 });
    const again = await admin.removeNode({ groupId, nodeId: leaving ?? 0 });
    expect([added, removed, again].map(({ isUnchanged }) => isUnchanged)).toEqual([
      false,
      false,
      true,
    ]);
    await cluster.forget(leaving ?? 0);

    expect(added.voterNodeIds).toHaveLength(4);
    expect(inOrder(removed.voterNodeIds)).toEqual(inOrder(cluster.nodeIdsOf(groupId)));
  }
  await cluster.failOver();
  expect(await readTopic(cluster, "growing", 4)).toHaveLength(4);
});

test("a node is replaced by an empty one, though the leader is killed meanwhile", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "moving" });
  await sendToEachQueue(cluster, "moving", 4);

  for (const groupId of cluster.groupIds) {
    await cluster.whole();
    const leader = await cluster.leaderOf(groupId);
    const former = cluster.nodeIdsOf(groupId).find((each) => each !== leader) ?? 0;
    const { nodeId, peer } = await cluster.join(groupId);
    // It is not heard of before there is another leader.
    cluster.pause(nodeId);
    const replaced = admin.replaceNode({
      groupId,
      formerNodeId: former,
      nodeId,
      peerAddress: peer,
    });
    await cluster.kill(leader);
    const next = await cluster.until("another one leads", async () => {
      for (const each of cluster.nodeIdsOf(groupId).filter((id) => id !== nodeId))
        if ((await cluster.statusOf(each))?.role === "leader") return each;
      return undefined;
    });
    cluster.resume(nodeId);
    const { voterNodeIds } = await replaced;
    await cluster.restart(leader);
    // Said once more, as by somebody who was not told what became of it.
    await admin.replaceNode({ groupId, formerNodeId: former, nodeId, peerAddress: peer });
    await cluster.forget(former);

    expect(next).not.toBe(leader);
    expect(inOrder(voterNodeIds)).toEqual(inOrder(cluster.nodeIdsOf(groupId)));
  }
  expect(await readTopic(cluster, "moving", 4)).toHaveLength(4);
});

test("what is no member is not removed, and that is said", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await cluster.failOver();

  for (const groupId of cluster.groupIds) {
    const nodeId = 900 + groupId;
    const { isUnchanged, voterNodeIds } = await admin.removeNode({ groupId, nodeId });
    expect(isUnchanged).toBe(true);
    expect(inOrder(voterNodeIds)).toEqual(inOrder(cluster.nodeIdsOf(groupId)));
  }
});
