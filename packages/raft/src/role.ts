/**
 * The four roles, each with the state that only it has (paper §5, figure 4; thesis §9.6).
 *
 *                timeout            quorum would vote          quorum voted
 *     follower ──────────> preCandidate ──────────> candidate ──────────> leader
 *        ^                     │ refused, or           │ refused, or         │
 *        └─────────────────────┴─ a leader is heard ───┴─ a higher term ─────┘
 */

import type { NodeId, LogIndex, Ticks } from "./ids.ts";
import type { LeaderReads } from "./leader-reads.ts";
import type { ProgressTracker } from "./progress-tracker.ts";

export interface Follower {
  readonly kind: "follower";
}

export interface PreCandidate {
  readonly kind: "preCandidate";
  /** By voter; the first answer of each counts. */
  readonly votes: Map<NodeId, boolean>;
}

export interface Candidate {
  readonly kind: "candidate";
  readonly votes: Map<NodeId, boolean>;
}

/** Commands that are to be appended as one batch. */
export interface Proposal {
  readonly commands: readonly Uint8Array[];
  /** One for each command, or none at all. */
  readonly checksums: readonly number[] | undefined;
}

/** A proposal that waits for the end of a leadership transfer. */
export interface ParkedProposal extends Proposal {
  readonly ticket: number;
}

export interface Transfer {
  readonly transferee: NodeId;
  readonly parked: ParkedProposal[];
  parkedBytes: number;
}

export interface Leader {
  readonly kind: "leader";
  readonly tracker: ProgressTracker;
  readonly reads: LeaderReads;
  heartbeatElapsed: Ticks;
  /**
   * At or above the index of every configuration change that may not be applied yet: the next one
   * has to wait until it is.
   */
  pendingConfigurationIndex: LogIndex;
  /** Bytes of commands appended in this term and not applied yet. */
  uncommittedBytes: number;
  transfer: Transfer | undefined;
}

export type Role = Follower | PreCandidate | Candidate | Leader;
