/**
 * What a client makes of being told of a cluster: it takes in what is newer, and never goes back.
 *
 * A NameServer that has just come back knows little, and one that brokers do not reach knows what
 * was: neither takes a route away. Within a term the leader stays who it is.
 */

import type { Cluster, GroupRoute } from "./cluster.ts";

export interface ToldBy {
  /** By the NameServer that is watched: of routes of one term, its own are as new as any. */
  readonly isPushed: boolean;
}

const GROUP_COUNT_MAX = 1_024;

/** @returns `before` itself if nothing in `told` is newer. */
export function newerCluster(
  before: Cluster | undefined,
  told: Cluster,
  { isPushed }: ToldBy,
): Cluster {
  const known = before ?? { clusterId: told.clusterId, groups: [], metadata: undefined };
  const groups = new Map(known.groups.map((group) => [group.groupId, group]));
  for (const group of told.groups) {
    const newer = newerRoute(groups.get(group.groupId), group, isPushed);
    // Taken out and put in, to be the last to be forgotten.
    groups.delete(group.groupId);
    groups.set(group.groupId, newer);
  }
  for (const groupId of groups.keys()) {
    if (groups.size <= GROUP_COUNT_MAX) break;
    groups.delete(groupId);
  }
  const isMetadataNewer =
    told.metadata !== undefined && told.metadata.version > (known.metadata?.version ?? -1);
  const sorted = [...groups.values()].sort((one, other) => one.groupId - other.groupId);
  const hasNewGroups = JSON.stringify(sorted) !== JSON.stringify(known.groups);
  if (!hasNewGroups && !isMetadataNewer) return known;
  return {
    clusterId: known.clusterId,
    groups: hasNewGroups ? sorted : known.groups,
    metadata: isMetadataNewer ? told.metadata : known.metadata,
  };
}

function newerRoute(
  known: GroupRoute | undefined,
  told: GroupRoute,
  isPushed: boolean,
): GroupRoute {
  if (known === undefined || told.term > known.term) return told;
  if (told.term < known.term) return known;
  const leader = known.nodes.find(({ nodeId }) => nodeId === known.leaderNodeId);
  if (leader === undefined || told.leaderNodeId !== 0)
    return isPushed || known.leaderNodeId === 0 ? told : known;
  if (!isPushed) return known;
  const others = told.nodes.filter(({ nodeId }) => nodeId !== leader.nodeId);
  return { ...told, leaderNodeId: leader.nodeId, nodes: [leader, ...others] };
}
