/** A cluster of which nothing is missing, and whose nodes have the same. */

import type { StateAudit } from "../node/state-audit.ts";
import type { NodeView } from "../node/node-protocol.ts";
import { until } from "@quorumlog/integration/testing";
import { byLeader } from "./by-leader.ts";
import { NodesEndedError, type TestCluster } from "./test-cluster.ts";

export interface ReplicaComparison {
  readonly audits: ReadonlyMap<number, StateAudit>;
  /** Each of one line; none: the replicas are byte-identical. */
  readonly differences: readonly string[];
}

const WHOLE_MS = 120_000;
const SNAPSHOT_MS = 3_000;
/** Of nodes that end by themselves while nothing is done to them. */
const STARTS_MAX = 3;

/**
 * Waits until all members serve, one leads, the others follow it, and all have applied what was
 * committed when that was seen. Who is down is started, and once more if it ends by itself.
 *
 * @param patienceMs - Default 120,000.
 * @throws Error with what is missing, and everybody's last words; NodesEndedError if nodes end
 *   again and again.
 */
export async function untilWhole(
  cluster: TestCluster,
  patienceMs: number = WHOLE_MS,
): Promise<void> {
  for (const nodeId of cluster.memberIds)
    if (!cluster.isServing(nodeId)) {
      await cluster.kill(nodeId);
      await cluster.startNode(nodeId);
    }
  let startsLeft = STARTS_MAX;
  let missing = "";
  // Of what is committed meanwhile there may always be some more.
  let goal = 0;
  try {
    await cluster.until(
      "the cluster is whole",
      async () => {
        for (const nodeId of cluster.endedMemberIds) {
          if (startsLeft === 0) cluster.demandNobodyEnded();
          startsLeft -= 1;
          await cluster.startNode(nodeId);
        }
        if (goal === 0) goal = leaderView(cluster)?.commitIndex ?? 0;
        missing = whatIsMissing(cluster, goal);
        return missing === "" ? true : undefined;
      },
      patienceMs,
    );
  } catch (error) {
    if (error instanceof NodesEndedError) throw error;
    throw new Error(`the cluster does not become whole: ${missing}`, { cause: error });
  }
}

/**
 * With nobody writing: all members come to the same index, and are compared there; and so are their
 * snapshots of one index, which hold what the replica itself keeps, such as sessions.
 */
export async function compareReplicas(cluster: TestCluster): Promise<ReplicaComparison> {
  await untilSnapshot(cluster);
  const audits = await cluster.until(
    "all replicas have applied as much",
    async () => {
      cluster.demandNobodyEnded();
      const all = await Promise.all(
        cluster.memberIds.map(async (nodeId): Promise<[number, StateAudit]> => {
          return [nodeId, await cluster.node(nodeId).call("audit", undefined)];
        }),
      );
      const indexes = new Set(all.map(([, { appliedIndex }]) => appliedIndex));
      return indexes.size === 1 ? new Map(all) : undefined;
    },
    WHOLE_MS,
  );
  return { audits, differences: differencesOf(audits) };
}

/** All members have one of the same index. */
async function untilSnapshot(cluster: TestCluster): Promise<void> {
  await cluster.until(
    "all replicas have a snapshot of one index",
    async () => {
      cluster.demandNobodyEnded();
      await byLeader(cluster, "the state is kept", (leader) =>
        leader.call("snapshot", { timeoutMs: SNAPSHOT_MS }),
      );
      // One that was busy with another one has passed it over: then there is the next one.
      return until("a common snapshot", SNAPSHOT_MS, () => haveCommonSnapshot(cluster)).catch(
        () => undefined,
      );
    },
    WHOLE_MS,
  );
}

async function haveCommonSnapshot(cluster: TestCluster): Promise<true | undefined> {
  const names = await Promise.all(
    cluster.memberIds.map((nodeId) => cluster.node(nodeId).call("snapshotNames", undefined)),
  );
  const [first = [], ...others] = names;
  return first.some((name) => others.every((own) => own.includes(name))) ? true : undefined;
}

function differencesOf(audits: ReadonlyMap<number, StateAudit>): string[] {
  const [first, ...others] = audits;
  if (first === undefined) return [];
  const [firstId, expected] = first;
  return others.flatMap(([nodeId, audit]) => [
    ...snapshotDifferences([firstId, expected], [nodeId, audit]),
    ...(["state", "stateBytes", "firstOffset", "nextOffset", "log"] as const)
      .filter((field) => audit[field] !== expected[field])
      .map(
        (field) =>
          `at index ${audit.appliedIndex}, ${field} is ${expected[field]} on node ${firstId} ` +
          `and ${audit[field]} on node ${nodeId}`,
      ),
  ]);
}

function snapshotDifferences(
  [firstId, first]: [number, StateAudit],
  [nodeId, { snapshots }]: [number, StateAudit],
): string[] {
  return Object.entries(first.snapshots)
    .filter(([name, digest]) => name in snapshots && snapshots[name] !== digest)
    .map(([name]) => `${name} is not the same on nodes ${firstId} and ${nodeId}`);
}

function leaderView(cluster: TestCluster): NodeView | undefined {
  const leaderId = cluster.leaderId();
  return leaderId === undefined ? undefined : cluster.views().get(leaderId);
}

/** @returns an empty text if it is nothing. */
function whatIsMissing(cluster: TestCluster, goal: number): string {
  const views = cluster.views();
  const leader = leaderView(cluster);
  if (leader === undefined) return "nobody leads";
  const voters = [...leader.voters].toSorted((a, b) => a - b).join();
  const members = cluster.memberIds.join();
  if (voters !== members || leader.learners.length > 0)
    return `the voters are ${voters} in place of ${members}, learners ${leader.learners.join()}`;
  for (const nodeId of cluster.memberIds) {
    const view = views.get(nodeId);
    if (view === undefined) return `node ${nodeId} says nothing`;
    const lack = lackOf(view, leader, goal);
    if (lack !== "") return `node ${nodeId} ${lack}`;
  }
  return "";
}

function lackOf(view: NodeView, leader: NodeView, goal: number): string {
  if (view.leaderId !== leader.leaderId || view.term !== leader.term)
    return `follows node ${view.leaderId} of term ${view.term}`;
  return view.appliedIndex < goal ? `has applied ${view.appliedIndex} of ${goal}` : "";
}
