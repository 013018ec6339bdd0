/** What the checkers may ask of the world: every disk and every process, as they truly are. */

import type { Member, NodeId } from "@quorumlog/raft";
import type { DiskImage } from "../engine/disk.ts";
import type { SimNode } from "../node/sim-node.ts";

export interface MemberDirectory {
  /**
   * What is durable on the disk of `member`; for a disk that was destroyed, what was durable when
   * that happened: what it had acknowledged by then counts.
   */
  durable(member: Member): DiskImage | undefined;
  /**
   * Whether `member` has lost what it had acknowledged, with the power of its host, and has not
   * caught up: others may still count on it, and are right to.
   */
  hasForgotten(member: Member): boolean;
  /** How many losses `member` itself knows of; `undefined` if nobody runs who knows of the last. */
  lossCount(member: Member): number | undefined;
  /** The process that runs on host `id`. */
  node(id: NodeId): SimNode | undefined;
}

/** Whether a majority of `members` satisfies `test`; nobody outvotes an empty set. */
export function majority(members: readonly Member[], test: (member: Member) => boolean): boolean {
  if (members.length === 0) return true;
  let count = 0;
  for (const member of members) if (test(member)) count += 1;
  return count * 2 > members.length;
}
