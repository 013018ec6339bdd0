/** What each role makes of a message of its own term. */

import { unreachable } from "@quorumlog/std";
import type { CoreState } from "./core-state.ts";
import type { DropReason } from "./drop-reason.ts";
import { onTimeoutNow, onVoteReply } from "./election.ts";
import { hearLeader, onAppendEntries, onHeartbeat, onInstallSnapshot } from "./follower.ts";
import { onAppendEntriesReply, onHeartbeatReply } from "./leader.ts";
import { maybeAutoLeave } from "./membership.ts";
import type { Message } from "./message.ts";
import { onReadIndexReply, onReadIndexRequest } from "./reads.ts";
import type { Candidate, Leader, PreCandidate } from "./role.ts";
import { startTransfer } from "./transfer.ts";
import { becomeFollower } from "./transitions.ts";

export function stepRole(core: CoreState, message: Message): DropReason | undefined {
  const { role } = core;
  switch (role.kind) {
    case "follower":
      return stepFollower(core, message);
    case "preCandidate":
    case "candidate":
      return stepCandidate(core, role, message);
    case "leader":
      return stepLeader(core, role, message);
    default:
      return unreachable(role);
  }
}

function stepFollower(core: CoreState, message: Message): DropReason | undefined {
  switch (message.type) {
    case "AppendEntries":
    case "Heartbeat":
    case "InstallSnapshot":
      return followLeader(core, message);
    case "TimeoutNow":
      if (core.leaderId !== undefined && core.leaderId !== message.from) return "contradiction";
      onTimeoutNow(core, message.from);
      return undefined;
    case "ReadIndexReply":
      if (core.leaderId !== message.from) return "unexpected";
      return onReadIndexReply(core, message);
    default:
      return "unexpected";
  }
}

function stepCandidate(
  core: CoreState,
  role: Candidate | PreCandidate,
  message: Message,
): DropReason | undefined {
  switch (message.type) {
    case "AppendEntries":
    case "Heartbeat":
    case "InstallSnapshot":
      // Somebody else was elected in this term (§5.2).
      becomeFollower(core, message.term, {
        id: message.from,
        incarnation: message.fromIncarnation,
      });
      return followLeader(core, message);
    case "RequestVoteReply":
      // Answers to the other phase of this campaign are not votes in this one.
      if (role.kind !== "candidate") return "unexpected";
      onVoteReply(core, role, message);
      return undefined;
    case "RequestPreVoteReply":
      if (role.kind !== "preCandidate") return "unexpected";
      // A grant is for the one term that this node would campaign in.
      if (message.voteGranted && message.term !== core.currentTerm + 1) return "stale-term";
      onVoteReply(core, role, message);
      return undefined;
    default:
      return "unexpected";
  }
}

function stepLeader(core: CoreState, leader: Leader, message: Message): DropReason | undefined {
  switch (message.type) {
    case "AppendEntries":
    case "Heartbeat":
    case "InstallSnapshot":
      // A second leader in one term. One of the two is broken, and this one was elected.
      return "contradiction";
    case "AppendEntriesReply":
      return onAppendEntriesReply(core, leader, message);
    case "HeartbeatReply":
      return onHeartbeatReply(core, leader, message);
    case "ReadIndexRequest":
      return onReadIndexRequest(core, leader, message);
    case "TransferLeadershipRequest":
      if (!startTransfer(core, leader, message.transferee)) return "unexpected";
      maybeAutoLeave(core);
      return undefined;
    default:
      return "unexpected";
  }
}

function followLeader(
  core: CoreState,
  message: Extract<Message, { type: "AppendEntries" | "Heartbeat" | "InstallSnapshot" }>,
): DropReason | undefined {
  // A term has one leader (§5.2).
  if (core.leaderId !== undefined && core.leaderId !== message.from) return "contradiction";
  hearLeader(core, message);
  if (message.type === "AppendEntries") return onAppendEntries(core, message);
  if (message.type === "Heartbeat") return onHeartbeat(core, message);
  return onInstallSnapshot(core, message);
}
