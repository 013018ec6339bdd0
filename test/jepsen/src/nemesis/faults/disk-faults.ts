/** Faults of disks that are told of: a write or a sync fails, or takes its time. */

import {
  describeReport,
  type DiskCondition,
  EXIT_CODE,
  isFailedCall,
  NO_TROUBLE,
  PatienceError,
} from "@quorumlog/integration/testing";
import type { TestCluster } from "../../cluster/test-cluster.ts";
import type { Evidence, Fault, FaultContext, Hit } from "../fault.ts";
import type { Claim } from "../harm.ts";
import { EventCounter, sayNodes, setDisk } from "./victims.ts";

/** A node that met a failed sync, and goes on, would acknowledge what it may have lost. */
const STOP_MS = 20_000;
const SNAPSHOT_MS = 1_000;

export const DISK_FULL: Fault = {
  name: "disk-full",
  title: "nothing more fits on the disk of a minority",
  reach: "minority",
  begin: async (context) => {
    const claimed = claimSome(context);
    if (claimed === undefined) return undefined;
    const { cluster, prng } = context;
    const full = prng.chance(0.5) ? "told" : "untold";
    const events = new EventCounter(cluster, ({ name }) => name === "diskFull");
    const hit = await troubled(context, claimed, {
      condition: { ...NO_TROUBLE, full },
      words: `disks of ${sayNodes(claimed.nodes)} are full${full === "told" ? "" : " at once"}`,
      evidenceOf: ({ refusedForSpace }, stopped) => {
        const diskFullEvents = events.stop();
        const evidence = { refusedForSpace, diskFullEvents, stopped };
        return { evidence, hasBitten: refusedForSpace + diskFullEvents > 0 };
      },
    });
    // Something that needs room: a segment would do, but may last for longer than this.
    await askForSnapshot(cluster);
    return hit;
  },
};

export const SLOW_FSYNC: Fault = {
  name: "slow-fsync",
  title: "syncs of a minority take up to 2 s longer",
  reach: "minority",
  begin: (context) => {
    const claimed = claimSome(context);
    if (claimed === undefined) return Promise.resolve(undefined);
    const syncDelayMs = context.prng.between(50, 2_000);
    return troubled(context, claimed, {
      condition: { ...NO_TROUBLE, syncDelayMs },
      words: `syncs of ${sayNodes(claimed.nodes)} take ${syncDelayMs} ms longer`,
      evidenceOf: ({ delayedSyncs }, stopped) => ({
        evidence: { delayedSyncs, stopped },
        hasBitten: delayedSyncs > 0,
      }),
    });
  },
};

export const FAILED_FSYNC: Fault = {
  name: "failed-fsync",
  title: "syncs of a node fail: it must stop, and is started again",
  reach: "minority",
  begin: async ({ cluster, harm, prng }) => {
    if (harm.room === 0) return undefined;
    const claim = harm.claim([prng.pick(harm.unharmed)]);
    if (claim === undefined) return undefined;
    const [nodeId = 0] = claim.nodes;
    cluster.expectEnd(nodeId);
    const wasLeader = cluster.leaderId() === nodeId;
    const hasTaken = await setDisk(cluster, nodeId, { ...NO_TROUBLE, failsSyncs: true });
    return {
      nodes: [nodeId],
      words: `syncs of node ${nodeId} fail`,
      end: async () => {
        const stopped = hasTaken && (await stopsOrMetNone(cluster, nodeId));
        await restart(cluster, nodeId);
        claim.release();
        return { evidence: { stopped, leaders: wasLeader }, hasBitten: stopped };
      },
    };
  },
};

interface Trouble {
  readonly condition: DiskCondition;
  readonly words: string;
  readonly evidenceOf: (
    troubles: Record<"refusedForSpace" | "delayedSyncs", number>,
    stopped: number,
  ) => { readonly evidence: Evidence; readonly hasBitten: boolean };
}

async function troubled(
  { cluster }: FaultContext,
  claim: Claim,
  { condition, words, evidenceOf }: Trouble,
): Promise<Hit> {
  const { nodes } = claim;
  for (const nodeId of nodes) {
    // Whoever finds no room for what it must write stops.
    cluster.expectEnd(nodeId);
    await setDisk(cluster, nodeId, condition);
  }
  return {
    nodes,
    words,
    end: async () => {
      const sums = { refusedForSpace: 0, delayedSyncs: 0 };
      let stopped = 0;
      for (const nodeId of nodes) {
        const troubles = await troublesOf(cluster, nodeId);
        sums.refusedForSpace += troubles?.refusedForSpace ?? 0;
        sums.delayedSyncs += troubles?.delayedSyncs ?? 0;
        if (cluster.node(nodeId).end !== undefined) stopped += 1;
        if (await setDisk(cluster, nodeId, NO_TROUBLE)) cluster.unexpectEnd(nodeId);
        else await restart(cluster, nodeId);
      }
      claim.release();
      return evidenceOf(sums, stopped);
    },
  };
}

/** @throws Error if a sync has failed, and the node goes on. */
async function stopsOrMetNone(cluster: TestCluster, nodeId: number): Promise<boolean> {
  const node = cluster.node(nodeId);
  try {
    const { exitCode, signal, fatal } = await node.ended(STOP_MS);
    // Ended by another fault: that is no answer.
    if (signal !== null) return false;
    if (exitCode === EXIT_CODE.failed || exitCode === EXIT_CODE.cannotOpen) return true;
    const why = fatal === undefined ? "it said nothing" : describeReport(fatal.error);
    throw new Error(`node ${nodeId} ended by exit code ${exitCode}: ${why}`);
  } catch (error) {
    if (!(error instanceof PatienceError)) throw error;
  }
  const { failedSyncs } = await node.call("diskTroubles", undefined);
  if (failedSyncs === 0) return false;
  throw new Error(`${failedSyncs} syncs of node ${nodeId} have failed, and it goes on`);
}

async function restart(cluster: TestCluster, nodeId: number): Promise<void> {
  await cluster.kill(nodeId);
  await cluster.startNode(nodeId);
}

/** If nobody leads there is none. */
async function askForSnapshot(cluster: TestCluster): Promise<void> {
  const leaderId = cluster.leaderId();
  if (leaderId === undefined) return;
  try {
    await cluster.node(leaderId).call("snapshot", { timeoutMs: SNAPSHOT_MS });
  } catch (error) {
    if (!isFailedCall(error)) throw error;
  }
}

async function troublesOf(
  cluster: TestCluster,
  nodeId: number,
): Promise<Record<"refusedForSpace" | "delayedSyncs", number> | undefined> {
  try {
    return await cluster.node(nodeId).call("diskTroubles", undefined);
  } catch (error) {
    if (isFailedCall(error)) return undefined;
    throw error;
  }
}

function claimSome({ harm, prng }: FaultContext): Claim | undefined {
  if (harm.room === 0) return undefined;
  const count = prng.between(1, harm.room + 1);
  return harm.claim(prng.shuffle([...harm.unharmed]).slice(0, count));
}
