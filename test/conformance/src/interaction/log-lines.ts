/**
 * The core's events as the log lines of etcd-io/raft, which the recorded scripts hold.
 *
 * Only the stricter of the two comparisons looks at them. An event that etcd does not log gives no
 * line, or one of our own where a scenario is easier to follow with it.
 */

import type {
  ConfigurationChange,
  LogPosition,
  MessageType,
  NodeId,
  ProgressView,
  RaftEvent,
  Status,
  Term,
  Transition,
} from "@quorumlog/raft";
import { allMembers } from "@quorumlog/raft";
import { describeConfiguration, describeProgress } from "../membership.ts";
import { describeId } from "./describe.ts";
import { MESSAGE_NAMES } from "./envelope.ts";
import type { LogLevel } from "./output.ts";

export type LogLine = readonly [LogLevel, string];

type EventOf<T extends RaftEvent["type"]> = Extract<RaftEvent, { readonly type: T }>;

/** The lines of one event at node `id`; of `started`, see {@link startLine}. */
export function logLines(id: NodeId, event: RaftEvent): LogLine[] {
  return (
    electionLines(id, event) ??
    replicationLines(id, event) ??
    logStoreLines(id, event) ??
    membershipLines(id, event) ??
    leadershipLines(id, event) ??
    []
  );
}

/** What a node says once it is up. */
export function startLine(status: Status, lastTerm: Term): LogLine {
  const peers = allMembers(status.configuration).map((member) => describeId(member.id));
  const parts = [
    `peers: [${peers.join(",")}]`,
    `term: ${status.currentTerm}`,
    `commit: ${status.commitIndex}`,
    `applied: ${status.appliedIndex}`,
    `lastindex: ${status.lastIndex}`,
    `lastterm: ${lastTerm}`,
  ];
  return ["INFO", `newRaft ${describeId(status.id)} [${parts.join(", ")}]`];
}

function electionLines(id: NodeId, event: RaftEvent): LogLine[] | undefined {
  const self = describeId(id);
  switch (event.type) {
    case "becameFollower":
      return [["INFO", `${self} became follower at term ${event.term}`]];
    case "becamePreCandidate":
      return [["INFO", `${self} became pre-candidate at term ${event.term}`]];
    case "becameCandidate":
      return [["INFO", `${self} became candidate at term ${event.term}`]];
    case "becameLeader":
      return [["INFO", `${self} became leader at term ${event.term}`]];
    case "electionStarted":
      return [["INFO", `${self} is starting a new election at term ${event.term}`]];
    case "campaignRefused":
      return [["WARN", `${self} ${campaignProblem(event)}`]];
    case "voteRequested": {
      const request = `${self} ${at(event.last)} sent ${requestName(event.kind)} request`;
      return [["INFO", `${request} to ${describeId(event.to)} at term ${event.term}`]];
    }
    case "voteAnswered":
      return [["INFO", answerLine(self, event)]];
    case "voteIgnoredUnderLease":
      return [
        [
          "INFO",
          `${voter(self, event)} ignored ${requestName(event.kind)} from ${candidate(event)} ` +
            `at term ${event.term}: lease is not expired (remaining ticks: ${event.remaining})`,
        ],
      ];
    case "voteReceived":
      return voteLines(self, event);
    case "quorumLost":
      return [["WARN", `${self} stepped down to follower since quorum is not active`]];
    default:
      return undefined;
  }
}

function campaignProblem(event: EventOf<"campaignRefused">): string {
  return event.reason === "not-promotable"
    ? "is unpromotable and can not campaign"
    : `cannot campaign at term ${event.term} since there are still pending configuration ` +
        "changes to apply";
}

function answerLine(self: string, event: EventOf<"voteAnswered">): string {
  const verb = event.granted
    ? `cast ${requestName(event.kind)} for`
    : `rejected ${requestName(event.kind)} from`;
  return `${voter(self, event)} ${verb} ${candidate(event)} at term ${event.term}`;
}

function voteLines(self: string, event: EventOf<"voteReceived">): LogLine[] {
  const name = event.kind === "vote" ? "MsgVoteResp" : "MsgPreVoteResp";
  const rejection = event.granted ? "" : " rejection";
  const { grantedCount, rejectedCount } = event;
  const from = describeId(event.from);
  const tally = `${grantedCount} ${name} votes and ${rejectedCount} vote rejections`;
  return [
    ["INFO", `${self} received ${name}${rejection} from ${from} at term ${event.term}`],
    ["INFO", `${self} has received ${tally}`],
  ];
}

function voter(
  self: string,
  event: EventOf<"voteAnswered"> | EventOf<"voteIgnoredUnderLease">,
): string {
  const { last, votedFor } = event;
  const vote = describeId(votedFor ?? 0);
  return `${self} [logterm: ${last.term}, index: ${last.index}, vote: ${vote}]`;
}

function candidate(event: EventOf<"voteAnswered"> | EventOf<"voteIgnoredUnderLease">): string {
  return `${describeId(event.candidate)} ${at(event.candidateLast)}`;
}

function requestName(kind: EventOf<"voteRequested">["kind"]): string {
  return kind === "vote" ? "MsgVote" : "MsgPreVote";
}

function replicationLines(id: NodeId, event: RaftEvent): LogLine[] | undefined {
  const self = describeId(id);
  switch (event.type) {
    case "higherTermSeen":
      return [["INFO", termLine(self, event, "received", "higher")]];
    case "lowerTermIgnored":
      return [["INFO", termLine(self, event, "ignored", "lower")]];
    case "appendRejected": {
      const own = at({ term: event.ownTerm ?? 0, index: event.prev.index });
      const from = describeId(event.from);
      return [["DEBUG", `${self} ${own} rejected MsgApp ${at(event.prev)} from ${from}`]];
    }
    case "rejectionReceived": {
      const hint = `(index ${event.hint.index}, term ${event.hint.term})`;
      const origin = `from ${describeId(event.from)} for index ${event.index}`;
      return [["DEBUG", `${self} received MsgAppResp(rejected, hint: ${hint}) ${origin}`]];
    }
    case "progressDecreased":
      return [["DEBUG", `${self} decreased progress of ${peer(event.peer)}`]];
    case "peerUnreachable":
      return [["DEBUG", withPeer(self, "failed to send message", event.peer, UNREACHABLE)]];
    case "snapshotSent":
      return snapshotSentLines(self, event);
    case "snapshotWithheld":
      return [["DEBUG", withheldLine(self, event)]];
    case "snapshotRecovered":
      return [["DEBUG", withPeer(self, "recovered from needing snapshot,", event.peer)]];
    case "snapshotReported": {
      const outcome = event.failed ? "snapshot failed," : "snapshot succeeded,";
      return [["DEBUG", withPeer(self, outcome, event.peer)]];
    }
    default:
      return undefined;
  }
}

const UNREACHABLE = " because it is unreachable";

function withPeer(self: string, event: string, progress: ProgressView, reason = ""): string {
  const resumed = reason === "" ? " resumed sending replication messages" : "";
  const state = `[${describeProgress(progress)}]`;
  return `${self} ${event}${resumed} to ${describeId(progress.id)}${reason} ${state}`;
}

function peer(progress: ProgressView): string {
  return `${describeId(progress.id)} to [${describeProgress(progress)}]`;
}

function snapshotSentLines(self: string, event: EventOf<"snapshotSent">): LogLine[] {
  const { firstIndex, commitIndex, before, after } = event;
  const to = describeId(after.id);
  const log = `[firstindex: ${firstIndex}, commit: ${commitIndex}]`;
  const sent = `sent snapshot${snapshotAt(event.position)} to ${to} [${describeProgress(before)}]`;
  const paused = `paused sending replication messages to ${to} [${describeProgress(after)}]`;
  return [
    ["DEBUG", `${self} ${log} ${sent}`],
    ["DEBUG", `${self} ${paused}`],
  ];
}

function withheldLine(self: string, event: EventOf<"snapshotWithheld">): string {
  const to = describeId(event.to);
  return event.reason === "inactive"
    ? `ignore sending snapshot to ${to} since it is not recently active`
    : `${self} failed to send snapshot to ${to} because snapshot is temporarily unavailable`;
}

function termLine(
  self: string,
  event: EventOf<"higherTermSeen"> | EventOf<"lowerTermIgnored">,
  verb: string,
  comparison: string,
): string {
  const message: MessageType = event.message;
  const what = `${verb} a ${MESSAGE_NAMES[message]} message with ${comparison} term`;
  const from = `from ${describeId(event.from)} [term: ${event.messageTerm}]`;
  return `${self} [term: ${event.term}] ${what} ${from}`;
}

function logStoreLines(id: NodeId, event: RaftEvent): LogLine[] | undefined {
  const self = describeId(id);
  switch (event.type) {
    case "snapshotRestoring":
      return [["INFO", restoringLine(event)]];
    case "snapshotRestored":
      return [
        ["INFO", `${restored(self, event)} restored snapshot ${snapshotAt(event.position)}`],
        ["INFO", `${committed(self, event)} restored snapshot ${snapshotAt(event.position)}`],
      ];
    case "snapshotIgnored":
      return [["INFO", `${committed(self, event)} ignored snapshot ${snapshotAt(event.position)}`]];
    case "snapshotFastForwarded": {
      const position = snapshotAt(event.position);
      return [["INFO", `${restored(self, event)} fast-forwarded commit to snapshot ${position}`]];
    }
    case "conflictFound": {
      const { index, existingTerm, conflictingTerm } = event;
      const terms = `[existing term: ${existingTerm}, conflicting term: ${conflictingTerm}]`;
      return [["INFO", `found conflict at index ${index} ${terms}`]];
    }
    case "unstableReplaced":
      return [["INFO", `replace the unstable entries from index ${event.index}`]];
    case "unstableTruncated":
      return [["INFO", `truncate the unstable entries before index ${event.index}`]];
    case "stableEntryMissing":
      return [["INFO", `entry at index ${event.index} missing from unstable log; ignoring`]];
    case "stableEntryMismatched": {
      const { reported, unstableTerm } = event;
      const own = `entry at (${reported.index},${unstableTerm}) in unstable log; ignoring`;
      const theirs = `entry at (index,term)=(${reported.index},${reported.term})`;
      return [["INFO", `${theirs} mismatched with ${own}`]];
    }
    case "staleAppendDone":
      return [
        [
          "INFO",
          `${self} [term: ${event.term}] ignored entry appends from a MsgStorageAppendResp ` +
            `message with lower term [term: ${event.doneTerm}]`,
        ],
      ];
    default:
      return undefined;
  }
}

type RestoreEvent = EventOf<"snapshotRestored" | "snapshotIgnored" | "snapshotFastForwarded">;

function restored(self: string, event: RestoreEvent): string {
  const { commitIndex, last } = event;
  return `${self} [commit: ${commitIndex}, lastindex: ${last.index}, lastterm: ${last.term}]`;
}

function committed(self: string, event: RestoreEvent): string {
  return `${self} [commit: ${event.commitIndex}]`;
}

function restoringLine({ log, position }: EventOf<"snapshotRestoring">): string {
  const cursors = [
    `committed=${log.committed}`,
    `applied=${log.applied}`,
    `applying=${log.applying}`,
    `unstable.offset=${log.unstableOffset}`,
    `unstable.offsetInProgress=${log.unstableOffsetInProgress}`,
    `len(unstable.Entries)=${log.unstableCount}`,
  ];
  return `log [${cursors.join(", ")}] starts to restore snapshot ${snapshotAt(position)}`;
}

function membershipLines(id: NodeId, event: RaftEvent): LogLine[] | undefined {
  const self = describeId(id);
  switch (event.type) {
    case "configurationSwitched": {
      const configuration = describeConfiguration(event.configuration);
      return [["INFO", `${self} switched to configuration ${configuration}`]];
    }
    case "autoLeaveProposed": {
      const configuration = describeConfiguration(event.configuration);
      const what = "initiating automatic transition out of joint configuration";
      return [["INFO", `${what} ${configuration}`]];
    }
    case "configurationChangeRefused": {
      const where = `at config ${describeConfiguration(event.configuration)}: ${event.reason}`;
      return [["INFO", `${self} ignoring conf change ${changeText(event.change)} ${where}`]];
    }
    default:
      return undefined;
  }
}

const TRANSITIONS: Readonly<Record<Transition, string>> = {
  auto: "ConfChangeTransitionAuto",
  implicit: "ConfChangeTransitionJointImplicit",
  explicit: "ConfChangeTransitionJointExplicit",
};

const OPERATIONS = {
  addVoter: "ConfChangeAddNode",
  addLearner: "ConfChangeAddLearnerNode",
  remove: "ConfChangeRemoveNode",
  update: "ConfChangeUpdateNode",
} as const;

function changeText(change: ConfigurationChange): string {
  const parts = change.changes.map(
    ({ operation, member }) => `type:${OPERATIONS[operation]} node_id:${member.id}`,
  );
  if (change.form === "single") return parts.join(" ");
  const changes = parts.map((part) => ` changes:{${part}}`);
  return `transition:${TRANSITIONS[change.transition]}${changes.join("")}`;
}

function leadershipLines(id: NodeId, event: RaftEvent): LogLine[] | undefined {
  const self = describeId(id);
  switch (event.type) {
    case "proposalDropped":
      // The other reasons go without a word.
      if (event.reason !== "no-leader") return undefined;
      return [["INFO", `${self} no leader at term ${event.term}; dropping proposal`]];
    case "leaderForgotten": {
      const leader = describeId(event.leaderId);
      return [["INFO", `${self} forgetting leader ${leader} at term ${event.term}`]];
    }
    case "forgetLeaderRefused":
      return [["ERROR", "ignoring MsgForgetLeader due to ReadOnlyLeaseBased"]];
    case "leaderGone":
      return [["INFO", `${self} lost the process of leader ${describeId(event.leaderId)}`]];
    case "transferStarted": {
      const to = describeId(event.transferee);
      return [["INFO", `${self} [term ${event.term}] starts to transfer leadership to ${to}`]];
    }
    case "transferAborted": {
      if (event.reason !== "superseded") return undefined;
      const to = describeId(event.transferee);
      return [
        ["INFO", `${self} [term ${event.term}] abort previous transferring leadership to ${to}`],
      ];
    }
    case "timeoutNowSent": {
      const to = describeId(event.transferee);
      return event.when === "at-once"
        ? [["INFO", `${self} sends MsgTimeoutNow to ${to} immediately as ${to} ${UP_TO_DATE}`]]
        : [["INFO", `${self} sent MsgTimeoutNow to ${to} after received MsgAppResp`]];
    }
    case "timeoutNowReceived": {
      const from = describeId(event.from);
      const what = `received MsgTimeoutNow from ${from} and starts an election`;
      return [["INFO", `${self} [term ${event.term}] ${what} to get leadership.`]];
    }
    default:
      return undefined;
  }
}

const UP_TO_DATE = "already has up-to-date log";

function at(position: LogPosition): string {
  return `[logterm: ${position.term}, index: ${position.index}]`;
}

function snapshotAt(position: LogPosition): string {
  return `[index: ${position.index}, term: ${position.term}]`;
}
