/** Losses of power: what a node had not synced is gone, and its machine boots anew. */

import { NO_TROUBLE, sleep } from "@quorumlog/integration/testing";
import type { Prng } from "@quorumlog/std";
import type { TestCluster } from "../../cluster/test-cluster.ts";
import { waysBetween } from "../../links/way.ts";
import type { Fault, FaultContext, Hit } from "../fault.ts";
import { electionsSeen, sayNodes, setDisk, startAll } from "./victims.ts";

const WRITES_MS_MIN = 1_500;
const MOMENT_MS = 1_000;
const LOOK_AGAIN_MS = 5;
const SECOND_PHASE_MS = [1_500, 3_000] as const;
/** Of syncs, before the power goes: what is written meanwhile is there to be lost. */
const LAST_SYNCS_MS = [50, 500] as const;
const LAST_SYNCS_SHARE = 0.75;

export const POWER_LOSS: Fault = {
  name: "power-loss",
  title: "power loss of a minority; every other time of the leader",
  reach: "minority",
  needs: "forgetfulDisk",
  begin: ({ cluster, harm, prng }) => {
    const leaderId = cluster.leaderId();
    if (harm.room === 0) return Promise.resolve(undefined);
    const nodeId = leaderId !== undefined && prng.chance(0.5) ? leaderId : prng.pick(harm.unharmed);
    const claim = harm.claim([nodeId]);
    return claim === undefined ? Promise.resolve(undefined) : losePower(cluster, claim, prng);
  },
};

export const POWER_LOSS_ALL: Fault = {
  name: "power-loss-all",
  title: "power loss of all nodes at once",
  reach: "all",
  needs: "forgetfulDisk",
  begin: ({ cluster, harm, prng }) => {
    const claim = harm.claimAll();
    return claim === undefined ? Promise.resolve(undefined) : losePower(cluster, claim, prng);
  },
};

/**
 * A minority misses what is written; one who has it loses power; and then these are the majority,
 * without those who have it yet. What was acknowledged is on the disk of the one, or is lost.
 */
export const PART_KILL: Fault = {
  name: "part-kill",
  title: "who was cut off makes a majority with one who has lost power since",
  reach: "all",
  needs: "forgetfulDisk",
  holdMsMin: WRITES_MS_MIN,
  begin: (context) =>
    twoMajorities(context, {
      words: "cut off",
      separate: async ({ links }, some, others) => {
        const silence = await links.silence(waysBetween(some, others));
        return async () => {
          const { breach } = await silence.end();
          if (breach !== "") throw new Error(breach);
        };
      },
    }),
};

/** The same, with those who miss what happens standing still. */
export const PAUSE_KILL: Fault = {
  name: "pause-kill",
  title: "who stood still makes a majority with one who has lost power since",
  reach: "all",
  needs: "forgetfulDisk",
  holdMsMin: WRITES_MS_MIN,
  begin: (context) =>
    twoMajorities(context, {
      words: "standing still",
      separate: (cluster, some) => {
        for (const nodeId of some) cluster.node(nodeId).pause(true);
        return Promise.resolve(() => {
          for (const nodeId of some) cluster.node(nodeId).pause(false);
          return Promise.resolve();
        });
      },
    }),
};

interface Separation {
  readonly words: string;
  /** @returns what ends it. */
  readonly separate: (
    cluster: TestCluster,
    some: readonly number[],
    others: readonly number[],
  ) => Promise<() => Promise<void>>;
}

async function losePower(
  cluster: TestCluster,
  claim: { readonly nodes: readonly number[]; release(): void },
  prng: Prng,
): Promise<Hit> {
  const { nodes } = claim;
  const leaderId = cluster.leaderId();
  const elections = electionsSeen(cluster);
  await somethingIsUnsynced(cluster, nodes, prng);
  const lost = await Promise.all(nodes.map((nodeId) => cluster.losePower(nodeId)));
  const discardedBytes = lost.reduce((sum, bytes) => sum + bytes, 0);
  const leaders = leaderId !== undefined && nodes.includes(leaderId);
  return {
    nodes,
    words: `${sayNodes(nodes)} lost power, and ${discardedBytes} bytes that were not synced`,
    end: async () => {
      await startAll(cluster, nodes);
      claim.release();
      const evidence = { losses: nodes.length, discardedBytes, leaders, elections: elections() };
      return { evidence, hasBitten: discardedBytes > 0 };
    },
  };
}

/**
 * A power loss just after a sync takes nothing. So the disks of some become slow for a moment, and
 * nodes are stopped, looked at, and let go again, until there is something to lose; then they stand
 * still until their power is gone.
 */
async function somethingIsUnsynced(
  cluster: TestCluster,
  nodes: readonly number[],
  prng: Prng,
): Promise<void> {
  const slow = nodes.filter(() => prng.chance(LAST_SYNCS_SHARE));
  const syncDelayMs = prng.between(...LAST_SYNCS_MS);
  const condition = { ...NO_TROUBLE, syncDelayMs };
  await Promise.all(slow.map((nodeId) => setDisk(cluster, nodeId, condition)));
  // So that whoever waits for no sync has something to say.
  if (slow.length > 0) await sleep(syncDelayMs);
  const endMs = performance.now() + MOMENT_MS;
  for (;;) {
    for (const nodeId of nodes) cluster.node(nodeId).pause(true);
    await sleep(1);
    if (nodes.some((nodeId) => cluster.unsyncedBytes(nodeId) > 0)) return;
    if (performance.now() > endMs) return;
    for (const nodeId of nodes) cluster.node(nodeId).pause(false);
    await sleep(LOOK_AGAIN_MS);
  }
}

async function twoMajorities(
  { cluster, harm, prng }: FaultContext,
  { words, separate }: Separation,
): Promise<Hit | undefined> {
  const leaderId = cluster.leaderId();
  const claim = leaderId === undefined ? undefined : harm.claimAll();
  if (claim === undefined) return undefined;
  const followers = prng.shuffle(claim.nodes.filter((nodeId) => nodeId !== leaderId));
  const minority = followers.slice(0, Math.floor((claim.nodes.length - 1) / 2));
  const majority = claim.nodes.filter((nodeId) => !minority.includes(nodeId));
  const crasher = prng.pick(majority);
  const rest = majority.filter((nodeId) => nodeId !== crasher);
  const endFirst = await separate(cluster, minority, majority);
  return {
    nodes: [...minority, crasher],
    words: `${sayNodes(minority)} ${words}; node ${crasher} loses power; then others ${words}`,
    end: async () => {
      await somethingIsUnsynced(cluster, [crasher], prng);
      const discardedBytes = await cluster.losePower(crasher);
      const elections = electionsSeen(cluster);
      // Before the others are heard again: else they would tell what they have.
      const endSecond = await separate(cluster, rest, [...minority, crasher]);
      await endFirst();
      await cluster.startNode(crasher);
      await sleep(prng.between(...SECOND_PHASE_MS));
      const electionCount = elections();
      await endSecond();
      claim.release();
      const evidence = { discardedBytes, elections: electionCount };
      return { evidence, hasBitten: electionCount > 0 };
    },
  };
}
