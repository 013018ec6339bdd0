/**
 * What servers say to each other. Names and fields follow the paper (figure 2, §7) and the thesis
 * (§3.10 transfer, §6.4 reads, §9.6 pre-vote).
 *
 * A message is addressed to one life of a node: `toIncarnation` guards a wiped node that returns
 * under its old id against promises its former self was asked for, `fromIncarnation` guards others
 * against promises its former self made.
 */

import type { Entry } from "./entry.ts";
import type { Incarnation, LogIndex, NodeId, Term } from "./ids.ts";
import type { Loss } from "./loss.ts";
import type { Snapshot } from "./snapshot.ts";

export interface MessageHeader {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly fromIncarnation: Incarnation;
  readonly toIncarnation: Incarnation;
  /** The sender's current term; for a pre-vote and its grant, the term that is in question. */
  readonly term: Term;
}

export interface AppendEntries extends MessageHeader {
  readonly type: "AppendEntries";
  readonly prevLogIndex: LogIndex;
  readonly prevLogTerm: Term;
  readonly entries: readonly Entry[];
  readonly leaderCommit: LogIndex;
}

export interface AppendEntriesReply extends MessageHeader {
  readonly type: "AppendEntriesReply";
  readonly rejected: boolean;
  /** Accepted: the follower matches up to here, durably. Rejected: the refused `prevLogIndex`. */
  readonly index: LogIndex;
  /** Rejected only: where the logs may still agree, as far as the follower can tell; else 0. */
  readonly hintIndex: LogIndex;
  readonly hintTerm: Term;
  /** The follower's, if it has had any. */
  readonly loss?: Loss;
}

export interface Heartbeat extends MessageHeader {
  readonly type: "Heartbeat";
  /** Never beyond what the leader knows the follower to hold. */
  readonly leaderCommit: LogIndex;
  /** Rises with each broadcast of a leader's term; with the term it is unique (etcd #20418). */
  readonly round: number;
  /** What the leader knows of the follower's loss: not suspect there is not suspect any more. */
  readonly loss?: Loss;
}

export interface HeartbeatReply extends MessageHeader {
  readonly type: "HeartbeatReply";
  /** The round that is answered. */
  readonly round: number;
  /** The follower's, if it has had any. */
  readonly loss?: Loss;
}

export interface RequestPreVote extends MessageHeader {
  readonly type: "RequestPreVote";
  readonly lastLogIndex: LogIndex;
  readonly lastLogTerm: Term;
}

export interface RequestPreVoteReply extends MessageHeader {
  readonly type: "RequestPreVoteReply";
  readonly voteGranted: boolean;
}

export interface RequestVote extends MessageHeader {
  readonly type: "RequestVote";
  readonly lastLogIndex: LogIndex;
  readonly lastLogTerm: Term;
  /** The leader asked for this election, so its lease is no reason to refuse (thesis §4.2.3). */
  readonly isTransfer: boolean;
}

export interface RequestVoteReply extends MessageHeader {
  readonly type: "RequestVoteReply";
  readonly voteGranted: boolean;
}

export interface InstallSnapshot extends MessageHeader {
  readonly type: "InstallSnapshot";
  readonly snapshot: Snapshot;
}

export interface TimeoutNow extends MessageHeader {
  readonly type: "TimeoutNow";
}

/** A follower passes a linearizable read on to its leader. */
export interface ReadIndexRequest extends MessageHeader {
  readonly type: "ReadIndexRequest";
  readonly context: number;
}

export interface ReadIndexReply extends MessageHeader {
  readonly type: "ReadIndexReply";
  readonly context: number;
  readonly readIndex: LogIndex;
}

/** A follower passes a wish for a transfer on to its leader. */
export interface TransferLeadershipRequest extends MessageHeader {
  readonly type: "TransferLeadershipRequest";
  readonly transferee: NodeId;
}

export type Message =
  | AppendEntries
  | AppendEntriesReply
  | Heartbeat
  | HeartbeatReply
  | RequestPreVote
  | RequestPreVoteReply
  | RequestVote
  | RequestVoteReply
  | InstallSnapshot
  | TimeoutNow
  | ReadIndexRequest
  | ReadIndexReply
  | TransferLeadershipRequest;

export type MessageType = Message["type"];

/**
 * Whether the message counts towards a quorum, and so only from a member. The answer to a read
 * comes from whoever leads, which this node may know before it knows that one to be a member.
 */
export function isReply(message: Message): boolean {
  switch (message.type) {
    case "AppendEntriesReply":
    case "HeartbeatReply":
    case "RequestPreVoteReply":
    case "RequestVoteReply":
      return true;
    default:
      return false;
  }
}
