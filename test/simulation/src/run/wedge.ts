/**
 * A known limit of Raft where changes take effect when they are applied: see `FaultAtlas.hasLeft`.
 *
 * Nobody can be elected, because a quorum needs the vote of a node that knows it has left, and that
 * node has a longer log than everybody who could be elected. `docs/operations.md` has the way out.
 */

import type { LogPosition, Member } from "@quorumlog/raft";
import { type FaultAtlas, hasQuorum } from "../fault/atlas.ts";
import type { Cluster } from "./cluster.ts";

export const KNOWN_LIMIT = "known limit: a node that left outvotes all others";

export function isWedged(cluster: Cluster, atlas: FaultAtlas): boolean {
  if (cluster.leader() !== undefined) return false;
  const isReliable = (member: Member): boolean =>
    cluster.host(member.id).node !== undefined && atlas.isHealthy(member) && !atlas.hasLeft(member);
  if (atlas.requiredConfigurations().every((each) => hasQuorum(each, isReliable))) return false;
  let leaver: LogPosition = { index: 0, term: 0 };
  let candidate: LogPosition = { index: 0, term: 0 };
  for (const host of cluster.hosts) {
    if (host.node === undefined) continue;
    const { lastIndex: index, lastTerm: term } = host.node.issued;
    if (atlas.hasLeft(host)) leaver = later(leaver, { index, term });
    else candidate = later(candidate, { index, term });
  }
  return later(leaver, candidate) === leaver;
}

/** The more up-to-date of two ends of a log (paper §5.4.1); the second, if they are the same. */
function later(left: LogPosition, right: LogPosition): LogPosition {
  const isLeft = left.term === right.term ? left.index > right.index : left.term > right.term;
  return isLeft ? left : right;
}
