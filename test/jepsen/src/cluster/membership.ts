/** Changes of who belongs to a cluster, each waited for until it has happened. */

import { PatienceError } from "@quorumlog/integration/testing";
import { byLeader } from "./by-leader.ts";
import type { TestCluster } from "./test-cluster.ts";

const CALL_MS = 5_000;

/** A node that has nothing becomes a voter. */
export async function addNode(cluster: TestCluster, nodeId: number): Promise<void> {
  await cluster.startNode(nodeId, { ifMissing: "join" });
  const address = cluster.peerAddress(nodeId);
  await byLeader(cluster, `node ${nodeId} is added`, async (leader) => {
    const { voters, learners } = await leader.call("view", undefined);
    if (voters.includes(nodeId)) return;
    if (!learners.includes(nodeId))
      await leader.call("addLearner", { nodeId, address, timeoutMs: CALL_MS });
    await leader.call("promote", { nodeId, timeoutMs: CALL_MS });
  });
  cluster.setMember(nodeId, true);
}

/** Takes a member out of the cluster, ends its process, and wipes its disk. */
export async function removeNode(cluster: TestCluster, nodeId: number): Promise<void> {
  await byLeader(cluster, `node ${nodeId} is removed`, async (leader) => {
    const { voters, learners } = await leader.call("view", undefined);
    if (![...voters, ...learners].includes(nodeId)) return;
    if (leader.nodeId === nodeId) {
      const to = voters.find((id) => id !== nodeId && cluster.isServing(id));
      if (to !== undefined) await leader.call("transfer", { to, timeoutMs: CALL_MS });
      await cluster.until("another one leads", () => otherLeader(cluster, nodeId), CALL_MS);
      throw new PatienceError("whoever leads now is asked next");
    }
    await leader.call("remove", { nodeId, timeoutMs: CALL_MS });
  });
  cluster.setMember(nodeId, false);
  await cluster.kill(nodeId);
  cluster.wipe(nodeId);
}

/** What it had is lost; it comes back with nothing, as another life that nobody knows. */
export async function replaceNode(cluster: TestCluster, nodeId: number): Promise<void> {
  await removeNode(cluster, nodeId);
  await addNode(cluster, nodeId);
}

function otherLeader(cluster: TestCluster, nodeId: number): true | undefined {
  const leaderId = cluster.leaderId();
  return leaderId !== undefined && leaderId !== nodeId ? true : undefined;
}
