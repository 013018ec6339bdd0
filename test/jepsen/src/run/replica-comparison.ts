/** In the end: replicas that have applied as much have to have the same, byte for byte. */

import type { StateAudit } from "../node/state-audit.ts";
import type { AnomalyRecord } from "./run-record.ts";

/** What a comparison needs of a cluster. */
export interface AuditedCluster {
  members(): Promise<readonly number[]>;
  node(nodeId: number): { call(name: "audit", input: undefined): Promise<StateAudit> };
}

export interface ReplicaComparison {
  /** Replicas that were compared at one index. */
  readonly compared: number;
  readonly anomalies: readonly AnomalyRecord[];
  /** Why not all were compared; `undefined` if they were. */
  readonly problem: string | undefined;
}

/** Without clients something is applied now and then nevertheless: they are asked again. */
const ROUNDS_MAX = 60;
const PAUSE_MS = 500;

/** @param signal - Ends it; what was compared by then is told. */
export async function compareReplicas(
  cluster: AuditedCluster,
  signal: AbortSignal,
): Promise<ReplicaComparison> {
  let compared = 0;
  let problem: string | undefined = "replicas were not asked";
  for (let round = 0; round < ROUNDS_MAX && !signal.aborted; round++) {
    if (round > 0) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    let audits: ReadonlyMap<number, StateAudit>;
    try {
      audits = await auditsOf(cluster);
    } catch (error) {
      problem = `a replica does not say what it has: ${String(error)}`;
      continue;
    }
    const anomalies = differencesOf(audits);
    if (anomalies.length > 0) return { compared: audits.size, anomalies, problem: undefined };
    const indexes = new Set([...audits.values()].map(({ appliedIndex }) => appliedIndex));
    compared = Math.max(compared, mostAtOneIndex(audits));
    if (indexes.size === 1) return { compared: audits.size, anomalies: [], problem: undefined };
    problem = `replicas did not come to one index: ${[...indexes].join(", ")}`;
  }
  return { compared, anomalies: [], problem };
}

async function auditsOf(cluster: AuditedCluster): Promise<ReadonlyMap<number, StateAudit>> {
  const members = await cluster.members();
  return new Map(
    await Promise.all(
      members.map(async (nodeId): Promise<[number, StateAudit]> => {
        return [nodeId, await cluster.node(nodeId).call("audit", undefined)];
      }),
    ),
  );
}

function mostAtOneIndex(audits: ReadonlyMap<number, StateAudit>): number {
  const counts = new Map<number, number>();
  for (const { appliedIndex } of audits.values())
    counts.set(appliedIndex, (counts.get(appliedIndex) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}

function differencesOf(audits: ReadonlyMap<number, StateAudit>): AnomalyRecord[] {
  const anomalies: AnomalyRecord[] = [];
  const first = new Map<number, readonly [number, StateAudit]>();
  for (const [nodeId, audit] of audits) {
    const [otherId, other] = first.get(audit.appliedIndex) ?? [nodeId, audit];
    first.set(audit.appliedIndex, [otherId, other]);
    const fields = (["state", "stateBytes", "firstOffset", "nextOffset", "log"] as const).filter(
      (field) => audit[field] !== other[field],
    );
    if (fields.length === 0) continue;
    const words = fields.map((field) => `${field} ${other[field]} and ${audit[field]}`);
    anomalies.push({
      kind: "replicas-differ",
      message:
        `nodes ${otherId} and ${nodeId} have applied up to ${audit.appliedIndex}, and have ` +
        words.join(", "),
      events: [],
    });
  }
  return anomalies;
}
