/**
 * What a node may make of one message: rules that show a bug at the very step that has it, however
 * long it would take to do visible harm.
 */

import type {
  DropReason,
  Entry,
  LogIndex,
  Message,
  NodeId,
  RaftEvent,
  Term,
} from "@quorumlog/raft";
import { hold } from "../engine/violation.ts";
import type { SimNode } from "../node/sim-node.ts";

/** Reasons not to act on a message that have nothing to do with what it says. */
const UNHEARD: ReadonlySet<DropReason> = new Set([
  "contradiction",
  "malformed",
  "misaddressed",
  "not-a-member",
  "stale-incarnation",
]);

/** A follower's commit index moves no further than its leader's message has shown to match. */
export function checkFollowersCommit(node: SimNode, commitIndex: LogIndex): void {
  const message = node.stepping;
  if (message === undefined) return;
  const limit = shownToCommit(message);
  hold(
    limit === undefined || commitIndex <= limit,
    "a follower commits what its leader's message covers",
    [node.id, message.from],
    () => `up to ${commitIndex}; ${message.type} from ${message.from} covers ${String(limit)}`,
  );
}

/** An acknowledgement speaks of what its message covered, not of what else is in the log. */
function checkAcknowledgement(node: SimNode, reply: Message): void {
  const message = node.stepping;
  if (message === undefined || reply.type !== "AppendEntriesReply" || reply.rejected) return;
  if (reply.to !== message.from) return;
  const covered = coveredBy(message);
  if (covered === undefined || reply.index <= covered) return;
  const { commitIndex } = node.core.status();
  hold(
    reply.index <= commitIndex,
    "an acknowledgement covers what its message did",
    [node.id, message.from],
    () =>
      `acknowledged ${reply.index}; ${message.type} covers ${covered}, committed ${commitIndex}`,
  );
}

/** Nobody campaigns while a committed change that may concern it is not applied (etcd e6ce296). */
function checkCampaign(node: SimNode): void {
  const { appliedIndex, commitIndex } = node.core.status();
  for (let index = appliedIndex + 1; index <= commitIndex; index++) {
    const entry: Entry | undefined = node.issued.entry(index);
    hold(
      entry?.kind !== "configuration",
      "nobody campaigns with a change unapplied",
      [node.id],
      () => `the change at ${index} is committed, applied is ${appliedIndex}`,
    );
  }
}

/** @param before - The term of the node when its turn began. */
export function checkStep(
  node: SimNode,
  message: Message,
  outcome: { reason: DropReason | undefined; before: Term; wasCandidate: boolean },
): void {
  const { reason, before, wasCandidate } = outcome;
  if (message.term < before && isAnswer(message))
    hold(
      reason !== undefined,
      "answers of a term that has passed do not count",
      [node.id, message.from],
      () => `${message.type} of term ${message.term}, in term ${before}`,
    );
  const isHeard = reason === undefined || !UNHEARD.has(reason);
  if (!wasCandidate || !isFromLeader(message) || !isHeard) return;
  const { role, currentTerm } = node.core.status();
  hold(
    currentTerm !== message.term || role === "follower" || role === "leader",
    "a candidate yields to the leader of its term",
    [node.id, message.from],
    () => `${role} of term ${currentTerm} after ${message.type} from ${message.from}`,
  );
}

/** Whoever is followed was elected in that term. */
export function checkFollowed(
  node: SimNode,
  status: { currentTerm: Term; leaderId: NodeId | undefined },
  elected: NodeId | undefined,
): void {
  const { currentTerm, leaderId } = status;
  hold(
    leaderId === undefined || leaderId === elected,
    "only the leader of the term is followed",
    [node.id],
    () => `follows ${leaderId} in term ${currentTerm}, which ${elected ?? "nobody"} won`,
  );
}

/** What an event says that only the message being stepped can tell to be wrong. */
export function checkEvent(node: SimNode, event: RaftEvent): void {
  if (event.type === "messageQueued") checkAcknowledgement(node, event.message);
  if (event.type === "electionStarted") checkCampaign(node);
  if (event.type === "entriesProposed") checkProposal(node);
  if (event.type === "timeoutNowSent") checkTransferee(node, event.transferee);
}

/** While leadership moves, new entries would only keep the transferee from catching up. */
function checkProposal(node: SimNode): void {
  const { transferee } = node.core.status();
  hold(
    transferee === undefined,
    "nothing is appended while leadership moves",
    [node.id],
    () => `to ${transferee}`,
  );
}

/** Whoever is told to campaign has the whole log (thesis §3.10). */
function checkTransferee(node: SimNode, transferee: NodeId): void {
  const { lastIndex } = node.core.status();
  const view = node.core.progress().find(({ id }) => id === transferee);
  hold(
    view?.matchIndex === lastIndex,
    "only who has the whole log is told to campaign",
    [node.id, transferee],
    () => `${transferee} has ${view?.matchIndex ?? 0} of ${lastIndex}`,
  );
}

function coveredBy(message: Message): LogIndex | undefined {
  if (message.type === "AppendEntries") return message.prevLogIndex + message.entries.length;
  if (message.type === "InstallSnapshot") return message.snapshot.lastIncludedIndex;
  return undefined;
}

function shownToCommit(message: Message): LogIndex | undefined {
  const covered = coveredBy(message);
  if (message.type === "Heartbeat") return message.leaderCommit;
  if (message.type !== "AppendEntries" || covered === undefined) return covered;
  return Math.min(message.leaderCommit, covered);
}

function isFromLeader(message: Message): boolean {
  const { type } = message;
  return type === "AppendEntries" || type === "Heartbeat" || type === "InstallSnapshot";
}

function isAnswer(message: Message): boolean {
  const { type } = message;
  return type === "AppendEntriesReply" || type === "HeartbeatReply" || type === "RequestVoteReply";
}
