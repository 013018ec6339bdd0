/** What a change of a broker group's members, or of its leader, has led to. */

import type { MembershipReply } from "@quorumlog/protocol/messages";

export interface MembershipChange {
  readonly groupId: number;
  readonly name: string;
  readonly term: number;
  /** 0: none is known. */
  readonly leaderNodeId: number;
  readonly voterNodeIds: readonly number[];
  readonly learnerNodeIds: readonly number[];
  /** It was so before: by an earlier attempt, it may be, whose answer was lost. */
  readonly isUnchanged: boolean;
}

export function membershipChange({ group, isUnchanged }: MembershipReply): MembershipChange {
  return {
    groupId: group?.groupId ?? 0,
    name: group?.name ?? "",
    term: group?.term ?? 0,
    leaderNodeId: group?.leaderNodeId ?? 0,
    voterNodeIds: group?.voterNodeIds ?? [],
    learnerNodeIds: group?.learnerNodeIds ?? [],
    isUnchanged,
  };
}
