/** What a leader does with its followers' answers, and with time (§5.3; thesis §6.2, §6.4). */

import { sometimes } from "@quorumlog/std";
import { maybeCommit } from "./commit.ts";
import type { CoreState } from "./core-state.ts";
import type { DropReason } from "./drop-reason.ts";
import type { NodeId, Ticks } from "./ids.ts";
import type { Loss } from "./loss.ts";
import { maybeAutoLeave } from "./membership.ts";
import type { AppendEntriesReply, HeartbeatReply } from "./message.ts";
import type { Progress } from "./progress.ts";
import { confirmReads } from "./reads.ts";
import { broadcastAppend, broadcastHeartbeat, maybeSendAppend } from "./replication.ts";
import type { Leader } from "./role.ts";
import { abortTransfer, continueTransfer } from "./transfer.ts";
import { becomeFollower } from "./transitions.ts";

export function tickLeader(core: CoreState, leader: Leader, elapsed: Ticks): void {
  const { electionTicks, heartbeatTicks, checkQuorum } = core.options;
  core.electionElapsed += elapsed;
  leader.heartbeatElapsed += elapsed;
  if (core.electionElapsed >= electionTicks) {
    core.electionElapsed = 0;
    if (checkQuorum && !leader.tracker.takeQuorumActive(core.id)) {
      sometimes("leader lost its quorum");
      core.emit({ type: "quorumLost", term: core.currentTerm });
      becomeFollower(core, core.currentTerm);
      return;
    }
    if (leader.transfer !== undefined) {
      abortTransfer(core, leader, "timeout");
      maybeAutoLeave(core);
    }
  }
  if (leader.heartbeatElapsed >= heartbeatTicks) {
    broadcastHeartbeat(core, leader);
    confirmReads(core, leader);
  }
}

export function onAppendEntriesReply(
  core: CoreState,
  leader: Leader,
  message: AppendEntriesReply,
): DropReason | undefined {
  const progress = leader.tracker.get(message.from);
  if (progress === undefined) return "not-a-member";
  // Nobody holds more of this leader's log than there is.
  if (!message.rejected && message.index > core.log.lastIndex()) return "contradiction";
  if (!heedLoss(core, leader, progress, message.loss)) return "stale-loss";
  progress.recentActive = true;
  if (message.rejected) onRejected(core, progress, message);
  else onAccepted(core, leader, { progress, message });
  progress.checkInvariants();
  return undefined;
}

/**
 * The follower's log differs at `index`. Its hint is an entry of its own; where this leader's term
 * at that index is later, no entry there or further down to the hint's term can match, as terms
 * only rise along a log. So each round trip skips a term.
 */
function onRejected(core: CoreState, progress: Progress, message: AppendEntriesReply): void {
  const hint = { index: message.hintIndex, term: message.hintTerm };
  core.emit({ type: "rejectionReceived", from: message.from, index: message.index, hint });
  const next = hint.term > 0 ? core.log.findConflictByTerm(hint).index : hint.index;
  if (!progress.maybeDecrease(message.index, next)) return;
  sometimes("append rejected");
  if (core.observer !== undefined) core.emit({ type: "progressDecreased", peer: progress.view() });
  if (progress.state === "replicate") progress.becomeProbe();
  maybeSendAppend(core, progress, "even-if-empty");
}

function onAccepted(
  core: CoreState,
  leader: Leader,
  answer: { progress: Progress; message: AppendEntriesReply },
): void {
  const { progress, message } = answer;
  const isNews = progress.maybeUpdate(message.index);
  // A probe that only confirms what was known still ends the probing (etcd 769f8a0).
  const endsProbe = progress.state === "probe" && progress.matchIndex === message.index;
  if (!isNews && !endsProbe) return;
  resumeReplication(core, progress);
  if (maybeCommit(core, leader)) broadcastAppend(core, leader);
  else if (progress.id !== core.id && progress.canBumpCommit(core.log.commitIndex))
    maybeSendAppend(core, progress, "even-if-empty");
  if (progress.id === core.id) return;
  // Room in the window: as many messages as fit, but none without entries.
  while (maybeSendAppend(core, progress, "with-entries"));
  continueTransfer(core, leader, progress.id);
}

function resumeReplication(core: CoreState, progress: Progress): void {
  if (progress.state === "probe") progress.becomeReplicate();
  else if (progress.state === "replicate") progress.inflights.freeUpTo(progress.matchIndex);
  else if (progress.matchIndex + 1 >= core.log.firstIndex()) {
    // Whatever snapshot it got, from here or elsewhere: the log reaches it again.
    sometimes("follower caught up by snapshot");
    if (core.observer !== undefined)
      core.emit({ type: "snapshotRecovered", peer: progress.view() });
    progress.becomeProbe();
    progress.becomeReplicate();
  }
}

export function onHeartbeatReply(
  core: CoreState,
  leader: Leader,
  message: HeartbeatReply,
): DropReason | undefined {
  const progress = leader.tracker.get(message.from);
  if (progress === undefined) return "not-a-member";
  if (message.round > leader.reads.round) return "contradiction";
  if (!heedLoss(core, leader, progress, message.loss)) return "stale-loss";
  progress.recentActive = true;
  progress.resumeFlow();
  // Behind: it may have lost what was in flight. Probing: only an append's answer ends that.
  if (progress.matchIndex < core.log.lastIndex() || progress.state === "probe")
    maybeSendAppend(core, progress, "even-if-empty");
  progress.ackedRound = Math.max(progress.ackedRound, message.round);
  confirmReads(core, leader);
  return undefined;
}

/**
 * Takes note of what the follower's host has cost it. Each of its answers says so: one that knows
 * of less is from before, and would pass for an acknowledgement of what is lost.
 *
 * @returns false if the answer is from before.
 */
function heedLoss(
  core: CoreState,
  leader: Leader,
  progress: Progress,
  loss: Loss | undefined,
): boolean {
  const count = loss?.count ?? 0;
  if (loss === undefined || count < progress.lossCount) return count === progress.lossCount;
  if (count > progress.lossCount) {
    sometimes("follower lost what it acknowledged");
    progress.becomeLost(loss, core.log.lastIndex());
    if (core.observer !== undefined)
      core.emit({ type: "followerLost", peer: progress.view(), count });
    if (leader.transfer?.transferee === progress.id && progress.isSuspect) {
      abortTransfer(core, leader, "suspect");
      maybeAutoLeave(core);
    }
  } else if (progress.isSuspect && !loss.isSuspect) {
    progress.trust();
    if (maybeCommit(core, leader)) broadcastAppend(core, leader);
  }
  return true;
}

/** A message to the follower was lost for sure, so what is in flight may be, too. */
export function onUnreachable(core: CoreState, leader: Leader, id: NodeId): void {
  const progress = leader.tracker.get(id);
  if (progress === undefined) return;
  if (progress.state === "replicate") progress.becomeProbe();
  if (core.observer !== undefined) core.emit({ type: "peerUnreachable", peer: progress.view() });
}

/** The driver has sent a snapshot, or failed to. */
export function onSnapshotReport(
  core: CoreState,
  leader: Leader,
  report: { id: NodeId; outcome: "finished" | "failed" },
): void {
  const progress = leader.tracker.get(report.id);
  if (progress?.state !== "snapshot") return;
  const failed = report.outcome === "failed";
  if (failed) progress.forgetPendingSnapshot();
  progress.becomeProbe();
  if (core.observer !== undefined)
    core.emit({ type: "snapshotReported", peer: progress.view(), failed });
  // Finished: the follower's own answer starts the flow. Failed: not again before a heartbeat.
  progress.pauseFlow();
}
