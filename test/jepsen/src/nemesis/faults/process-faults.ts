/** Faults of processes: they end, or stand still. */

import { sleep } from "@quorumlog/integration/testing";
import type { TestCluster } from "../../cluster/test-cluster.ts";
import { waysBetween } from "../../links/way.ts";
import type { Fault, FaultContext, Hit } from "../fault.ts";
import { electionsSeen, sayNodes, startAll } from "./victims.ts";

/** Longer than a leader's lease, and than any election takes. */
const PAUSE_MS_MIN = 1_500;
/** Of leaders that stood still: clients reach them before the other nodes do. */
const DEAF_SHARE = 0.5;
const DEAF_MS = [300, 1_000] as const;
/** For another leader, and for clients to find it and write there. */
const SUCCESSOR_MS_MAX = 10_000;
const SUCCESSOR_REIGN_MS = 2_500;
const LOOK_MS = 20;

export const KILL: Fault = {
  name: "kill",
  title: "kill -9 of one node, or as many as may be down",
  reach: "minority",
  begin: (context) => {
    const { harm, prng } = context;
    if (harm.room === 0) return Promise.resolve(undefined);
    const count = prng.between(1, harm.room + 1);
    return killNodes(context, prng.shuffle([...harm.unharmed]).slice(0, count));
  },
};

export const KILL_LEADER: Fault = {
  name: "kill-leader",
  title: "kill -9 of the leader",
  reach: "minority",
  begin: (context) => {
    const leaderId = context.cluster.leaderId();
    return leaderId === undefined ? Promise.resolve(undefined) : killNodes(context, [leaderId]);
  },
};

export const KILL_ALL: Fault = {
  name: "kill-all",
  title: "kill -9 of all nodes at once",
  reach: "all",
  begin: async ({ cluster, harm }) => {
    const claim = harm.claimAll();
    if (claim === undefined) return undefined;
    await Promise.all(claim.nodes.map((nodeId) => cluster.kill(nodeId)));
    return {
      nodes: claim.nodes,
      words: `all ${claim.nodes.length} nodes were killed`,
      end: async () => {
        await startAll(cluster, claim.nodes);
        claim.release();
        return { evidence: { killed: claim.nodes.length }, hasBitten: true };
      },
    };
  },
};

export const PAUSE: Fault = {
  name: "pause",
  title: "SIGSTOP of a node that does not lead, and SIGCONT",
  reach: "minority",
  begin: ({ cluster, harm, prng }) => {
    const followers = harm.unharmed.filter((nodeId) => nodeId !== cluster.leaderId());
    if (followers.length === 0) return Promise.resolve(undefined);
    return pauseNode({ cluster, harm }, prng.pick(followers));
  },
};

export const PAUSE_LEADER: Fault = {
  name: "pause-leader",
  title: "SIGSTOP of the leader for longer than its lease, and SIGCONT; some hear nobody at first",
  reach: "minority",
  holdMsMin: PAUSE_MS_MIN,
  begin: ({ cluster, harm, prng }) => {
    const leaderId = cluster.leaderId();
    if (leaderId === undefined) return Promise.resolve(undefined);
    const deafMs = prng.chance(DEAF_SHARE) ? prng.between(...DEAF_MS) : 0;
    return pauseNode({ cluster, harm }, leaderId, deafMs);
  },
};

export const ROLLING_RESTART: Fault = {
  name: "rolling-restart",
  title: "each node is closed as by an operator and started again, one after the other",
  reach: "all",
  holdMsMax: 0,
  begin: ({ cluster, harm, prng }) => {
    const claim = harm.claimAll();
    if (claim === undefined) return Promise.resolve(undefined);
    const order = prng.shuffle([...claim.nodes]);
    const hit: Hit = {
      nodes: order,
      words: `nodes ${order.join(", ")} are restarted in this order`,
      end: async () => {
        const elections = electionsSeen(cluster);
        for (const nodeId of order) {
          await closeNode(cluster, nodeId);
          await cluster.startNode(nodeId);
          await caughtUp(cluster, nodeId);
        }
        claim.release();
        return {
          evidence: { restarted: order.length, elections: elections() },
          hasBitten: true,
        };
      },
    };
    return Promise.resolve(hit);
  },
};

async function killNodes(
  { cluster, harm }: FaultContext,
  nodes: readonly number[],
): Promise<Hit | undefined> {
  const claim = harm.claim(nodes);
  if (claim === undefined) return undefined;
  const leaderId = cluster.leaderId();
  const elections = electionsSeen(cluster);
  await Promise.all(nodes.map((nodeId) => cluster.kill(nodeId)));
  const hasLeader = leaderId !== undefined && nodes.includes(leaderId);
  return {
    nodes,
    words: `${sayNodes(nodes)} killed${hasLeader ? ", the leader among them" : ""}`,
    end: async () => {
      const evidence = { killed: nodes.length, leaders: hasLeader, elections: elections() };
      await startAll(cluster, nodes);
      claim.release();
      return { evidence, hasBitten: true };
    },
  };
}

async function pauseNode(
  { cluster, harm }: Pick<FaultContext, "cluster" | "harm">,
  nodeId: number,
  deafMs = 0,
): Promise<Hit | undefined> {
  const claim = harm.claim([nodeId]);
  if (claim === undefined) return undefined;
  const view = cluster.views().get(nodeId);
  const wasLeader = view?.role === "leader";
  const elections = electionsSeen(cluster);
  const others = cluster.memberIds.filter((other) => other !== nodeId);
  // From the beginning: what reached its machine meanwhile it would find as it goes on.
  const silence = await cluster.links.silence(deafMs > 0 ? waysBetween([nodeId], others) : []);
  const beganMs = performance.now();
  cluster.node(nodeId).pause(true);
  return {
    nodes: [nodeId],
    words: `node ${nodeId} stands still${wasLeader ? ", the leader" : ""}`,
    end: async () => {
      // What it would still answer has to be out of date by then.
      if (deafMs > 0) await succeeded(cluster, nodeId);
      const electionCount = elections();
      cluster.node(nodeId).pause(false);
      await sleep(deafMs);
      const { breach } = await silence.end();
      if (breach !== "") throw new Error(breach);
      claim.release();
      const pausedMs = Math.round(performance.now() - beganMs);
      const evidence = { pausedMs, deafMs, leaders: wasLeader, elections: electionCount };
      // A leader that came back before anybody missed it was not paused for long enough.
      return { evidence, hasBitten: !wasLeader || electionCount > 0 };
    },
  };
}

/** Somebody else leads, and has for a while; or nobody does for long. */
async function succeeded(cluster: TestCluster, formerId: number): Promise<void> {
  const endMs = performance.now() + SUCCESSOR_MS_MAX;
  const hasSuccessor = (): boolean => ![undefined, formerId].includes(cluster.leaderId());
  while (!hasSuccessor() && performance.now() < endMs) await sleep(LOOK_MS);
  await sleep(SUCCESSOR_REIGN_MS);
}

const CLOSE_MS = 30_000;
const CATCH_UP_MS = 60_000;

/** As by `SIGTERM`: a leader hands over first. */
async function closeNode(cluster: TestCluster, nodeId: number): Promise<void> {
  const node = cluster.node(nodeId);
  cluster.expectEnd(nodeId);
  await node.call("close", undefined);
  await node.ended(CLOSE_MS);
}

async function caughtUp(cluster: TestCluster, nodeId: number): Promise<void> {
  const { commitIndex } = await (await cluster.leader()).call("view", undefined);
  await cluster.until(
    `node ${nodeId} catches up`,
    () => ((cluster.views().get(nodeId)?.appliedIndex ?? 0) >= commitIndex ? true : undefined),
    CATCH_UP_MS,
  );
}
