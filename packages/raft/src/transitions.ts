/** From role to role. Every change of term or role passes through here. */

import { assert } from "@quorumlog/std";
import type { CoreState } from "./core-state.ts";
import { NO_DATA } from "./entry.ts";
import type { Incarnation, NodeId, Term } from "./ids.ts";
import { appendToLog } from "./leader-log.ts";
import { LeaderReads } from "./leader-reads.ts";
import { ProgressTracker } from "./progress-tracker.ts";
import type { Leader } from "./role.ts";

/** @param leader - Who leads in `term`, if that is known. */
export function becomeFollower(
  core: CoreState,
  term: Term,
  leader?: { readonly id: NodeId; readonly incarnation: Incarnation },
): void {
  resetForTerm(core, term);
  core.role = { kind: "follower" };
  core.leaderId = leader?.id;
  core.leaderIncarnation = leader?.incarnation ?? 0;
  core.emit({ type: "becameFollower", term, leaderId: core.leaderId });
}

/** Changes neither term nor vote: that is the point of asking first (thesis §9.6). */
export function becomePreCandidate(core: CoreState): void {
  assert(core.role.kind !== "leader", "a leader does not campaign");
  forgetReads(core);
  core.role = { kind: "preCandidate", votes: new Map() };
  core.leaderId = undefined;
  core.emit({ type: "becamePreCandidate", term: core.currentTerm });
}

export function becomeCandidate(core: CoreState): void {
  assert(core.role.kind !== "leader", "a leader does not campaign");
  const wasLeaderGone = core.isLeaderGone;
  resetForTerm(core, core.currentTerm + 1);
  // A split vote should not cost a full timeout then.
  if (wasLeaderGone) drawVoteTimeout(core);
  core.votedFor = core.id;
  core.role = { kind: "candidate", votes: new Map() };
  core.emit({ type: "becameCandidate", term: core.currentTerm });
}

/** Takes office and appends the no-op that lets older entries commit (§5.4.2, §8). */
export function becomeLeader(core: CoreState): void {
  assert(core.role.kind === "candidate", "only a candidate is elected");
  resetForTerm(core, core.currentTerm);
  const { inflightCountMax, inflightBytesMax } = core.options;
  const tracker = new ProgressTracker({ inflightCountMax, inflightBytesMax });
  const lastIndex = core.log.lastIndex();
  tracker.startTerm(core.configuration, lastIndex);
  const self = tracker.get(core.id);
  assert(self !== undefined, "only a member is elected");
  self.maybeUpdate(lastIndex);
  self.becomeReplicate();
  self.recentActive = true;
  const leader: Leader = {
    kind: "leader",
    tracker,
    reads: new LeaderReads(),
    heartbeatElapsed: 0,
    // There may be a change among the entries of former leaders. It is cheaper to make the next
    // one wait for all of them than to look (etcd: pendingConfIndex).
    pendingConfigurationIndex: lastIndex,
    uncommittedBytes: 0,
    transfer: undefined,
  };
  core.role = leader;
  core.leaderId = core.id;
  core.leaderIncarnation = core.incarnation;
  const index = appendToLog(core, leader, [{ kind: "normal", data: NO_DATA }]);
  assert(index === lastIndex + 1, "the no-op always fits");
  core.emit({ type: "becameLeader", term: core.currentTerm });
}

/** Draws the next election timeout (§5.2), short while the leader is known to be dead. */
export function drawElectionTimeout(core: CoreState): void {
  const { electionTicks, electionRank, peerGoneTicksMax } = core.options;
  core.randomizedElectionTicks = !core.isLeaderGone
    ? electionTicks +
      core.prng.below(electionTicks) +
      Math.floor((electionRank * electionTicks) / 2)
    : 1 + core.prng.below(Math.min(peerGoneTicksMax, electionTicks));
}

/** Draws how long a vote may take before it is held again: votes wait for disks. */
export function drawVoteTimeout(core: CoreState): void {
  const half = Math.ceil(core.options.electionTicks / 2);
  core.randomizedElectionTicks = half + core.prng.below(half);
}

function resetForTerm(core: CoreState, term: Term): void {
  assert(term >= core.currentTerm, "the term never goes back");
  const leader = core.leader();
  if (leader !== undefined) leaveOffice(core, leader);
  if (term > core.currentTerm) {
    core.currentTerm = term;
    // Only now: clearing the vote within a term would allow a second one (§5.2).
    core.votedFor = undefined;
    core.isLeaderGone = false;
    core.hasYielded = false;
    core.matchedInTerm = 0;
  }
  forgetReads(core);
  core.leaderId = undefined;
  core.electionElapsed = 0;
  drawElectionTimeout(core);
}

/** Whatever waited for this leader is told that it waits in vain. */
function leaveOffice(core: CoreState, leader: Leader): void {
  for (const { from, context } of leader.reads.takeAll())
    if (from === core.id) core.droppedReads.push(context);
  const { transfer } = leader;
  if (transfer === undefined) return;
  for (const { ticket } of transfer.parked) core.parkedOutcomes.push({ ticket, result: "dropped" });
  leader.transfer = undefined;
  const { transferee } = transfer;
  core.emit({
    type: "transferAborted",
    transferee,
    term: core.currentTerm,
    reason: "stepped-down",
  });
}

function forgetReads(core: CoreState): void {
  for (const { context } of core.forwardedReads.values()) core.droppedReads.push(context);
  core.forwardedReads.clear();
}
