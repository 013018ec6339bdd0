/**
 * What happened inside the core, for observers: logs, metrics, traces. Nothing here is needed to
 * run a node, and the core never waits for an observer.
 *
 * An event says what changed; the state after it is in `status()`, which an observer may call.
 */

import type { Configuration } from "./configuration.ts";
import type { ConfigurationChange } from "./configuration-change.ts";
import type { LogPosition } from "./entry.ts";
import type { LogIndex, NodeId, Term, Ticks } from "./ids.ts";
import type { Message, MessageType } from "./message.ts";
import type { ProgressView } from "./progress.ts";
import type { DropReason } from "./drop-reason.ts";

type VoteKind = "vote" | "preVote";

export type RaftEvent =
  | { readonly type: "started" }
  | { readonly type: "becameFollower"; readonly term: Term; readonly leaderId: NodeId | undefined }
  | { readonly type: "becamePreCandidate"; readonly term: Term }
  | { readonly type: "becameCandidate"; readonly term: Term }
  | { readonly type: "becameLeader"; readonly term: Term }
  | { readonly type: "electionStarted"; readonly term: Term }
  | {
      readonly type: "campaignRefused";
      readonly reason: "not-promotable" | "unapplied-configuration-change" | "lease-promised";
      readonly term: Term;
    }
  | {
      readonly type: "voteRequested";
      readonly kind: VoteKind;
      readonly to: NodeId;
      readonly last: LogPosition;
      readonly term: Term;
    }
  | {
      readonly type: "voteAnswered";
      readonly kind: VoteKind;
      readonly granted: boolean;
      readonly candidate: NodeId;
      readonly candidateLast: LogPosition;
      readonly last: LogPosition;
      readonly votedFor: NodeId | undefined;
      readonly term: Term;
    }
  | {
      readonly type: "voteIgnoredUnderLease";
      readonly kind: VoteKind;
      readonly candidate: NodeId;
      readonly candidateLast: LogPosition;
      readonly last: LogPosition;
      readonly votedFor: NodeId | undefined;
      readonly term: Term;
      readonly remaining: Ticks;
    }
  | {
      readonly type: "voteReceived";
      readonly kind: VoteKind;
      readonly from: NodeId;
      readonly granted: boolean;
      readonly term: Term;
      readonly grantedCount: number;
      readonly rejectedCount: number;
    }
  | {
      readonly type: "higherTermSeen";
      readonly message: MessageType;
      readonly from: NodeId;
      readonly messageTerm: Term;
      readonly term: Term;
    }
  | {
      readonly type: "lowerTermIgnored";
      readonly message: MessageType;
      readonly from: NodeId;
      readonly messageTerm: Term;
      readonly term: Term;
    }
  | { readonly type: "messageDropped"; readonly message: Message; readonly reason: DropReason }
  | { readonly type: "quorumLost"; readonly term: Term }
  | {
      readonly type: "appendRejected";
      readonly from: NodeId;
      readonly prev: LogPosition;
      /** The term that this log has there; `undefined` if it has none. */
      readonly ownTerm: Term | undefined;
    }
  | {
      readonly type: "rejectionReceived";
      readonly from: NodeId;
      readonly index: LogIndex;
      readonly hint: LogPosition;
    }
  | { readonly type: "progressDecreased"; readonly peer: ProgressView }
  | {
      readonly type: "snapshotSent";
      readonly position: LogPosition;
      readonly firstIndex: LogIndex;
      readonly commitIndex: LogIndex;
      readonly before: ProgressView;
      readonly after: ProgressView;
    }
  | { readonly type: "snapshotWithheld"; readonly to: NodeId; readonly reason: "inactive" | "none" }
  | { readonly type: "snapshotRecovered"; readonly peer: ProgressView }
  | { readonly type: "snapshotReported"; readonly peer: ProgressView; readonly failed: boolean }
  | { readonly type: "peerUnreachable"; readonly peer: ProgressView }
  /** A follower's host has cost it what it had acknowledged: it starts over. */
  | { readonly type: "followerLost"; readonly peer: ProgressView; readonly count: number }
  /** This node holds again what it may have acknowledged. */
  | { readonly type: "suspicionCleared"; readonly count: number; readonly by: NodeId }
  | { readonly type: "leaderGone"; readonly leaderId: NodeId }
  | {
      readonly type: "snapshotRestoring";
      readonly position: LogPosition;
      readonly log: LogPointers;
    }
  | {
      readonly type: "snapshotRestored" | "snapshotIgnored" | "snapshotFastForwarded";
      readonly position: LogPosition;
      readonly commitIndex: LogIndex;
      readonly last: LogPosition;
    }
  | {
      readonly type: "conflictFound";
      readonly index: LogIndex;
      readonly existingTerm: Term;
      readonly conflictingTerm: Term;
    }
  | {
      readonly type: "unstableReplaced" | "unstableTruncated" | "stableEntryMissing";
      readonly index: LogIndex;
    }
  | {
      readonly type: "stableEntryMismatched";
      readonly reported: LogPosition;
      readonly unstableTerm: Term;
    }
  | { readonly type: "staleAppendDone"; readonly term: Term; readonly doneTerm: Term }
  | { readonly type: "entriesProposed"; readonly firstIndex: LogIndex; readonly count: number }
  | { readonly type: "commitAdvanced"; readonly commitIndex: LogIndex }
  | { readonly type: "readyTaken" }
  | { readonly type: "messageQueued"; readonly message: Message }
  | { readonly type: "messageReceived"; readonly message: Message }
  | {
      readonly type: "configurationChangeProposed";
      readonly index: LogIndex;
      readonly change: ConfigurationChange;
    }
  | {
      readonly type: "configurationChangeRefused";
      readonly change: ConfigurationChange;
      readonly configuration: Configuration;
      readonly reason: string;
    }
  | { readonly type: "configurationSwitched"; readonly configuration: Configuration }
  | { readonly type: "autoLeaveProposed"; readonly configuration: Configuration }
  | { readonly type: "proposalDropped"; readonly reason: string; readonly term: Term }
  | { readonly type: "leaderForgotten"; readonly leaderId: NodeId; readonly term: Term }
  | { readonly type: "forgetLeaderRefused" }
  | { readonly type: "transferStarted"; readonly transferee: NodeId; readonly term: Term }
  | {
      readonly type: "transferAborted";
      readonly transferee: NodeId;
      readonly term: Term;
      readonly reason: "timeout" | "superseded" | "removed" | "suspect" | "stepped-down";
    }
  | {
      readonly type: "timeoutNowSent";
      readonly transferee: NodeId;
      readonly when: "at-once" | "caught-up";
    }
  | { readonly type: "timeoutNowReceived"; readonly from: NodeId; readonly term: Term };

export type RaftEventType = RaftEvent["type"];

export type RaftObserver = (event: RaftEvent) => void;

/** The log's cursors, as they are shown when a snapshot replaces it. */
export interface LogPointers {
  readonly committed: LogIndex;
  readonly applied: LogIndex;
  readonly applying: LogIndex;
  readonly unstableOffset: LogIndex;
  readonly unstableOffsetInProgress: LogIndex;
  readonly unstableCount: number;
}
