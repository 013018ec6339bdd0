/** Elections: campaigning, voting, counting (paper §5.2, §5.4.1; thesis §9.6, §4.2.3). */

import { assert, sometimes } from "@quorumlog/std";
import { allVoters } from "./configuration.ts";
import type { CoreState } from "./core-state.ts";
import type { LogPosition } from "./entry.ts";
import { broadcastAppend } from "./replication.ts";
import type { NodeId, Term, Ticks } from "./ids.ts";
import type {
  RequestPreVote,
  RequestPreVoteReply,
  RequestVote,
  RequestVoteReply,
} from "./message.ts";
import { voteResult } from "./quorum.ts";
import type { Candidate, PreCandidate } from "./role.ts";
import {
  becomeCandidate,
  becomeFollower,
  becomeLeader,
  becomePreCandidate,
  drawVoteTimeout,
} from "./transitions.ts";

/**
 * `preElection`: ask whether an election could be won. `election`: hold one. `transfer`: hold one
 * on the leader's wish, so that its lease is no reason to refuse.
 */
export type CampaignKind = "preElection" | "election" | "transfer";

/** The election timer of every role but the leader's. */
export function tickElection(core: CoreState, elapsed: Ticks): void {
  // After a pause of this process its leader's heartbeats wait in the inbox. A jump may use up half
  // a timeout at most, and never the last of it, so that they are read first: else a laptop that
  // wakes up, or a long garbage collection, starts an election storm (openraft #1959).
  const atMost = Math.max(1, Math.floor(core.options.electionTicks / 2));
  const left = core.randomizedElectionTicks - core.electionElapsed;
  if (elapsed > atMost) {
    sometimes("clock jumped on a follower");
    core.electionElapsed += Math.max(0, Math.min(atMost, left - 1));
  } else {
    core.electionElapsed += elapsed;
  }
  if (!isPromotable(core) || core.electionElapsed < core.randomizedElectionTicks) return;
  core.electionElapsed = 0;
  if (core.isLeaderGone) sometimes("election after the leader's process was gone");
  campaign(core, defaultCampaign(core));
}

/** Whether a leader that is known to be dead or the options call for a pre-vote first. */
export function defaultCampaign(core: CoreState): CampaignKind {
  return core.options.preVote || core.isLeaderGone ? "preElection" : "election";
}

/** Starts a campaign, unless this node leads already or must not lead. */
export function campaign(core: CoreState, kind: CampaignKind): void {
  if (core.role.kind === "leader") return;
  const term = core.currentTerm;
  // The leader may be reading from a lease that rests on this node; unless it asked itself.
  if (kind !== "transfer" && core.now < core.voteFreeAt) {
    core.emit({ type: "campaignRefused", reason: "lease-promised", term });
    return;
  }
  if (!isPromotable(core)) {
    core.emit({ type: "campaignRefused", reason: "not-promotable", term });
    return;
  }
  // Its own membership may be about to change (etcd e6ce296).
  if (core.log.someUnapplied((entry) => entry.kind === "configuration")) {
    sometimes("campaign refused for an unapplied configuration change");
    core.emit({ type: "campaignRefused", reason: "unapplied-configuration-change", term });
    return;
  }
  core.emit({ type: "electionStarted", term });
  runCampaign(core, kind);
}

/** Whether this node may lead: a voter, in this life of its disk, with its log in place. */
export function isPromotable(core: CoreState): boolean {
  return core.isVoter() && !core.log.hasPendingSnapshot() && !core.isSuspect();
}

function runCampaign(core: CoreState, kind: CampaignKind): void {
  if (kind === "preElection") becomePreCandidate(core);
  else becomeCandidate(core);
  const isPreVote = kind === "preElection";
  const term = isPreVote ? core.currentTerm + 1 : core.currentTerm;
  const { index: lastLogIndex, term: lastLogTerm } = core.last();
  for (const { id, incarnation } of allVoters(core.configuration)) {
    if (id === core.id) {
      voteForSelf(core, isPreVote, term);
      continue;
    }
    const header = {
      from: core.id,
      to: id,
      fromIncarnation: core.incarnation,
      toIncarnation: incarnation,
      term,
    };
    core.emit({
      type: "voteRequested",
      kind: isPreVote ? "preVote" : "vote",
      to: id,
      last: { index: lastLogIndex, term: lastLogTerm },
      term: core.currentTerm,
    });
    if (isPreVote) core.send({ ...header, type: "RequestPreVote", lastLogIndex, lastLogTerm });
    else {
      const isTransfer = kind === "transfer";
      core.send({ ...header, type: "RequestVote", lastLogIndex, lastLogTerm, isTransfer });
    }
  }
}

/** One's own vote counts like any other: once it is durable. */
function voteForSelf(core: CoreState, isPreVote: boolean, term: Term): void {
  core.sendAfterAppend({
    type: isPreVote ? "RequestPreVoteReply" : "RequestVoteReply",
    from: core.id,
    to: core.id,
    fromIncarnation: core.incarnation,
    toIncarnation: core.incarnation,
    term,
    voteGranted: true,
  });
}

/** Answers a request whose term is at least this node's (or, for a pre-vote, would be). */
export function onVoteRequest(core: CoreState, message: RequestVote | RequestPreVote): void {
  const isPreVote = message.type === "RequestPreVote";
  const candidateLast = { index: message.lastLogIndex, term: message.lastLogTerm };
  // Learners vote, too: a node may have been promoted without knowing it yet, and its vote may be
  // the one that is needed. The candidate counts only those that it knows to be voters.
  const granted = canVote(core, message) && core.log.isUpToDate(candidateLast);
  // Nobody can be told of a term that has not begun; only who is suspect refuses there.
  if (!granted && core.currentTerm === 0) return;
  if (core.observer !== undefined)
    core.emit({
      type: "voteAnswered",
      kind: isPreVote ? "preVote" : "vote",
      granted,
      candidate: message.from,
      candidateLast,
      last: core.last(),
      votedFor: core.votedFor,
      term: core.currentTerm,
    });
  core.sendAfterAppend({
    type: isPreVote ? "RequestPreVoteReply" : "RequestVoteReply",
    from: core.id,
    to: message.from,
    fromIncarnation: core.incarnation,
    toIncarnation: message.fromIncarnation,
    // A grant answers for the term it was asked for; a refusal tells the term of this node.
    term: granted ? message.term : core.currentTerm,
    voteGranted: granted,
  });
  if (granted && !isPreVote) {
    // Only real votes count as one per term. They restart the timer; pre-votes only when yielding.
    core.electionElapsed = 0;
    core.votedFor = message.from;
  }
  if (granted && isPreVote) maybeYield(core, message.from, candidateLast);
}

/**
 * Of nodes that notice at once that their leader is gone, one goes first, as they would split the
 * vote: whoever asked before it was asked; of two whose requests cross, who has the longer log, or
 * the lower id. A link keeps the order of messages, so that a node hears of who goes before it
 * ahead of that one's grant. Once a term, as who goes first may be unable to win.
 */
function maybeYield(core: CoreState, rival: NodeId, rivalLast: LogPosition): void {
  if (!core.isLeaderGone || core.hasYielded) return;
  if (core.role.kind === "preCandidate") {
    const { index, term } = core.last();
    const isAlike = rivalLast.index === index && rivalLast.term === term;
    if (isAlike && core.id < rival) return;
    sometimes("a pre-candidate let another one go first");
    becomeFollower(core, core.currentTerm);
  }
  core.hasYielded = true;
  core.electionElapsed = 0;
  drawVoteTimeout(core);
}

/** One vote per term, first come, first served (§5.2). A later pre-vote costs nothing. */
function canVote(core: CoreState, message: RequestVote | RequestPreVote): boolean {
  // Whoever lacks what it acknowledged would elect one who lacks it, too. That it has promised
  // this vote before is no reason: its log was longer then.
  if (core.isSuspect()) return false;
  if (core.votedFor === message.from) return true;
  if (core.votedFor === undefined && core.leaderId === undefined) return true;
  return message.type === "RequestPreVote" && message.term > core.currentTerm;
}

/** Answers a pre-vote from a term that has passed, so that its sender learns of this one. */
export function rejectPreVote(core: CoreState, message: RequestPreVote): void {
  if (core.observer !== undefined)
    core.emit({
      type: "voteAnswered",
      kind: "preVote",
      granted: false,
      candidate: message.from,
      candidateLast: { index: message.lastLogIndex, term: message.lastLogTerm },
      last: core.last(),
      votedFor: core.votedFor,
      term: core.currentTerm,
    });
  core.sendAfterAppend({
    type: "RequestPreVoteReply",
    from: core.id,
    to: message.from,
    fromIncarnation: core.incarnation,
    toIncarnation: message.fromIncarnation,
    term: core.currentTerm,
    voteGranted: false,
  });
}

/** Counts an answer to this campaign. */
export function onVoteReply(
  core: CoreState,
  role: Candidate | PreCandidate,
  message: RequestVoteReply | RequestPreVoteReply,
): void {
  const { votes } = role;
  if (!votes.has(message.from)) votes.set(message.from, message.voteGranted);
  if (core.observer !== undefined) emitVote(core, role, message);
  const result = voteResult(core.configuration, (id) => votes.get(id));
  if (result === "lost") {
    sometimes(role.kind === "candidate" ? "election lost" : "pre-vote lost");
    becomeFollower(core, core.currentTerm);
  } else if (result === "won") {
    if (role.kind === "preCandidate") {
      runCampaign(core, "election");
      return;
    }
    becomeLeader(core);
    const leader = core.leader();
    assert(leader !== undefined, "the winner leads");
    broadcastAppend(core, leader);
  }
}

function emitVote(
  core: CoreState,
  role: Candidate | PreCandidate,
  message: RequestVoteReply | RequestPreVoteReply,
): void {
  const counts = countVotes(core, role.votes);
  core.emit({
    type: "voteReceived",
    kind: role.kind === "candidate" ? "vote" : "preVote",
    from: message.from,
    granted: message.voteGranted,
    term: core.currentTerm,
    grantedCount: counts.granted,
    rejectedCount: counts.rejected,
  });
}

function countVotes(
  core: CoreState,
  votes: ReadonlyMap<NodeId, boolean>,
): { granted: number; rejected: number } {
  let granted = 0;
  let rejected = 0;
  for (const { id } of allVoters(core.configuration)) {
    const vote = votes.get(id);
    if (vote === true) granted += 1;
    if (vote === false) rejected += 1;
  }
  return { granted, rejected };
}

/** The leader asks this node to take over at once (thesis §3.10). */
export function onTimeoutNow(core: CoreState, from: NodeId): void {
  core.emit({ type: "timeoutNowReceived", from, term: core.currentTerm });
  // No pre-vote: the leader is not lost, so there is nobody to disturb.
  campaign(core, "transfer");
}
