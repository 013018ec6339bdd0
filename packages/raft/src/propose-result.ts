/** What became of a proposal at the moment it was made. */

import type { LogIndex, NodeId, Term } from "./ids.ts";

/**
 * `no-leader`, `not-leader`: propose elsewhere. `removed`: this node led itself out of the group.
 * `overloaded`: a limit on uncommitted or parked bytes is reached, or leadership is on the move and
 * this is a change of configuration; retry later.
 */
export type ProposalDropReason = "no-leader" | "not-leader" | "removed" | "overloaded";

export type ProposeResult =
  /** In the leader's log from `firstIndex` on; whether it commits is seen when it is applied. */
  | {
      readonly status: "appended";
      readonly firstIndex: LogIndex;
      readonly lastIndex: LogIndex;
      readonly term: Term;
    }
  /** Held until the leadership transfer ends; a later `Ready` tells, under this ticket. */
  | { readonly status: "parked"; readonly ticket: number }
  /** Not applied and never will be. */
  | {
      readonly status: "dropped";
      readonly reason: ProposalDropReason;
      readonly leaderId: NodeId | undefined;
    }
  /** A configuration change that does not fit; an empty entry stands in its place, if anything. */
  | { readonly status: "refused"; readonly reason: string };
