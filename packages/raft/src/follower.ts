/** What a follower does with its leader's messages (paper §5.3, §7). */

import { sometimes } from "@quorumlog/std";
import type { CoreState } from "./core-state.ts";
import type { DropReason } from "./drop-reason.ts";
import type { LogIndex } from "./ids.ts";
import { switchConfiguration } from "./membership.ts";
import type {
  AppendEntries,
  AppendEntriesReply,
  Heartbeat,
  HeartbeatReply,
  InstallSnapshot,
  Message,
} from "./message.ts";
import { drawElectionTimeout } from "./transitions.ts";

/** Any message of the term's leader shows that it is alive. */
export function hearLeader(core: CoreState, message: Message): void {
  core.electionElapsed = 0;
  core.leaderId = message.from;
  core.leaderIncarnation = message.fromIncarnation;
  if (core.isLeaderGone) takeBackRumour(core);
  // One tick more than the lease: the current one has begun already.
  if (core.options.leaseReads) core.voteFreeAt = core.now + core.options.electionTicks + 1;
}

/** The short timeout that came with it would have this node campaign between two heartbeats. */
function takeBackRumour(core: CoreState): void {
  core.isLeaderGone = false;
  core.hasYielded = false;
  drawElectionTimeout(core);
}

export function onAppendEntries(core: CoreState, message: AppendEntries): DropReason | undefined {
  const { prevLogIndex: index, prevLogTerm: term, entries } = message;
  if (index < core.log.commitIndex) {
    // Old news, or a leader that knows too little of this node. What is committed matches.
    acknowledge(core, message, core.log.commitIndex);
    return undefined;
  }
  const appended = core.log.maybeAppend({ index, term }, entries, core.matchedInTerm);
  switch (appended.outcome) {
    case "matched":
      // Never past what this message showed to match the leader's log: what follows in this log
      // may be another leader's (scylladb #9965).
      core.log.commitTo(Math.min(message.leaderCommit, appended.lastNewIndex));
      core.matchedInTerm = Math.max(core.matchedInTerm, appended.lastNewIndex);
      acknowledge(core, message, appended.lastNewIndex);
      return undefined;
    case "contradiction":
      return "contradiction";
    default:
      reject(core, message);
      return undefined;
  }
}

export function onHeartbeat(core: CoreState, message: Heartbeat): DropReason | undefined {
  // The leader never tells more than it saw acknowledged, so either this node lost its log or the
  // sender is broken. To follow it would be to commit what is not there.
  const leaderCommit = knownCommit(core, message);
  if (leaderCommit > core.log.lastIndex()) return "contradiction";
  core.log.commitTo(leaderCommit);
  maybeClear(core, message);
  const reply: HeartbeatReply = withLoss(core, {
    type: "HeartbeatReply",
    from: core.id,
    to: message.from,
    fromIncarnation: core.incarnation,
    toIncarnation: message.fromIncarnation,
    term: core.currentTerm,
    round: message.round,
  });
  // A lease rests on this answer. A restart keeps the promise in it only if it finds a term on the
  // disk, so that of the first life waits for one.
  if (core.options.leaseReads && core.isFirstLife) core.sendAfterAppend(reply);
  else core.send(reply);
  return undefined;
}

/**
 * How far the leader's commit index speaks of this log. A leader that does not know yet what this
 * node has lost tells what a former life acknowledged; here something else may stand there.
 */
function knownCommit(core: CoreState, message: Heartbeat): LogIndex {
  if (message.loss?.count === core.loss?.count) return message.leaderCommit;
  sometimes("heartbeat of a leader that does not know of a loss");
  return Math.min(message.leaderCommit, core.matchedInTerm);
}

/** The leader has seen this log reach the end that its own had when it learned of the loss. */
function maybeClear(core: CoreState, message: Heartbeat): void {
  const { loss } = core;
  if (loss?.isSuspect !== true || message.loss?.count !== loss.count) return;
  if (message.loss.isSuspect) return;
  sometimes("suspect cleared");
  core.loss = { count: loss.count, isSuspect: false };
  core.isLossNews = true;
  core.emit({ type: "suspicionCleared", count: loss.count, by: message.from });
}

/** Most nodes have had no loss, and their answers do not speak of any. */
function withLoss<T extends AppendEntriesReply | HeartbeatReply>(core: CoreState, reply: T): T {
  return core.loss === undefined ? reply : { ...reply, loss: core.loss };
}

export function onInstallSnapshot(
  core: CoreState,
  message: InstallSnapshot,
): DropReason | undefined {
  const { snapshot } = message;
  const position = { index: snapshot.lastIncludedIndex, term: snapshot.lastIncludedTerm };
  const isFixed = position.index > core.log.commitIndex && position.index <= core.matchedInTerm;
  if (isFixed && !core.log.matches(position)) return "contradiction";
  const isRestored = restore(core, message);
  if (core.observer !== undefined)
    core.emit({
      type: isRestored ? "snapshotRestored" : "snapshotIgnored",
      position,
      commitIndex: core.log.commitIndex,
      last: core.last(),
    });
  if (isRestored) core.matchedInTerm = position.index;
  acknowledge(core, message, isRestored ? core.log.lastIndex() : core.log.commitIndex);
  return undefined;
}

/** Takes the snapshot in place of the log, unless the log says as much or more. */
function restore(core: CoreState, message: InstallSnapshot): boolean {
  const { snapshot } = message;
  const position = { index: snapshot.lastIncludedIndex, term: snapshot.lastIncludedTerm };
  if (position.index <= core.log.commitIndex) return false;
  // This node need not be a member in it: the leader has it for one, so a later entry makes it one.
  // To refuse would be to ask for the same snapshot for ever.
  if (core.log.matches(position)) {
    // The log holds all that the snapshot covers: keep it (§7), the snapshot shows it committed.
    sometimes("snapshot only moved the commit index");
    core.log.commitTo(position.index);
    if (core.observer !== undefined)
      core.emit({
        type: "snapshotFastForwarded",
        position,
        commitIndex: core.log.commitIndex,
        last: core.last(),
      });
    return false;
  }
  sometimes("snapshot installed");
  core.emit({ type: "snapshotRestoring", position, log: core.log.pointers() });
  core.log.restore(snapshot);
  core.configurationIndex = position.index;
  switchConfiguration(core, { configuration: snapshot.configuration, fresh: [] });
  return true;
}

/** Tells the leader that this log matches its own up to `index`, once that is durable. */
function acknowledge(core: CoreState, message: Message, index: LogIndex): void {
  const reply: AppendEntriesReply = {
    type: "AppendEntriesReply",
    from: core.id,
    to: message.from,
    fromIncarnation: core.incarnation,
    toIncarnation: message.fromIncarnation,
    term: core.currentTerm,
    rejected: false,
    index,
    hintIndex: 0,
    hintTerm: 0,
  };
  core.sendAfterAppend(withLoss(core, reply));
}

/** Tells a leader of a term that has passed that it has: it steps down on seeing the new one. */
export function tellOfTerm(core: CoreState, message: Message): void {
  acknowledge(core, message, 0);
}

/**
 * Refuses an append, with the best guess at where the logs still agree: at or below the leader's
 * previous entry, and not of a later term than it.
 */
function reject(core: CoreState, message: AppendEntries): void {
  const prev = { index: message.prevLogIndex, term: message.prevLogTerm };
  if (core.observer !== undefined)
    core.emit({
      type: "appendRejected",
      from: message.from,
      prev,
      ownTerm: core.log.term(prev.index),
    });
  const index = Math.min(prev.index, core.log.lastIndex());
  const hint = core.log.findConflictByTerm({ index, term: prev.term });
  const reply: AppendEntriesReply = {
    type: "AppendEntriesReply",
    from: core.id,
    to: message.from,
    fromIncarnation: core.incarnation,
    toIncarnation: message.fromIncarnation,
    term: core.currentTerm,
    rejected: true,
    index: prev.index,
    hintIndex: hint.index,
    hintTerm: hint.term,
  };
  core.sendAfterAppend(withLoss(core, reply));
}
