/**
 * What a leader sends to its followers: entries, snapshots, heartbeats (paper §5.3, §7).
 */

import { sometimes } from "@quorumlog/std";
import type { CoreState } from "./core-state.ts";
import { type Entry, payloadBytes } from "./entry.ts";
import type { LogIndex, Term } from "./ids.ts";
import type { Heartbeat } from "./message.ts";
import type { Progress } from "./progress.ts";
import type { Leader } from "./role.ts";

/** Sends entries to every follower, or an empty append that tells of the commit index. */
export function broadcastAppend(core: CoreState, leader: Leader): void {
  for (const progress of leader.tracker.all())
    if (progress.id !== core.id) maybeSendAppend(core, progress, "even-if-empty");
}

/**
 * Sends the next entries to a follower, as far as flow control allows, or a snapshot if the log no
 * longer holds them. Returns whether anything was sent.
 */
export function maybeSendAppend(
  core: CoreState,
  progress: Progress,
  when: "even-if-empty" | "with-entries",
): boolean {
  if (progress.isPaused) return false;
  const prevLogIndex = progress.nextIndex - 1;
  const prevLogTerm = core.log.term(prevLogIndex);
  if (prevLogTerm === undefined) return maybeSendSnapshot(core, progress);

  // A full window still lets one empty append through: if all in flight were lost, it is what
  // brings the rejection that starts over.
  const isThrottled = progress.state === "replicate" && progress.inflights.isFull();
  if (isThrottled) sometimes("inflight window full");
  const { appendBytesMax } = core.options;
  const entries = isThrottled ? [] : core.log.entries(progress.nextIndex, appendBytesMax);
  if (entries === undefined) return maybeSendSnapshot(core, progress);
  if (entries.length === 0 && when === "with-entries") return false;

  sendEntries(core, progress, { prevLogIndex, prevLogTerm, entries });
  return true;
}

function sendEntries(
  core: CoreState,
  progress: Progress,
  slice: { prevLogIndex: LogIndex; prevLogTerm: Term; entries: readonly Entry[] },
): void {
  const leaderCommit = core.log.commitIndex;
  core.send({
    type: "AppendEntries",
    from: core.id,
    to: progress.id,
    fromIncarnation: core.incarnation,
    toIncarnation: progress.incarnation,
    term: core.currentTerm,
    prevLogIndex: slice.prevLogIndex,
    prevLogTerm: slice.prevLogTerm,
    entries: slice.entries,
    leaderCommit,
  });
  progress.sentEntries(slice.entries.length, payloadBytes(slice.entries));
  progress.sentCommit(leaderCommit);
}

function maybeSendSnapshot(core: CoreState, progress: Progress): boolean {
  // Snapshots are expensive: not to a node that may be down.
  if (!progress.recentActive) {
    core.emit({ type: "snapshotWithheld", to: progress.id, reason: "inactive" });
    return false;
  }
  const snapshot = core.log.snapshot();
  if (snapshot === undefined) {
    core.emit({ type: "snapshotWithheld", to: progress.id, reason: "none" });
    return false;
  }
  sometimes("snapshot sent");
  const before = progress.view();
  progress.becomeSnapshot(snapshot.lastIncludedIndex);
  if (core.observer !== undefined)
    core.emit({
      type: "snapshotSent",
      position: { index: snapshot.lastIncludedIndex, term: snapshot.lastIncludedTerm },
      firstIndex: core.log.firstIndex(),
      commitIndex: core.log.commitIndex,
      before,
      after: progress.view(),
    });
  core.send({
    type: "InstallSnapshot",
    from: core.id,
    to: progress.id,
    fromIncarnation: core.incarnation,
    toIncarnation: progress.incarnation,
    term: core.currentTerm,
    snapshot,
  });
  return true;
}

/** Starts a round of heartbeats. They go on their own, never behind entries. */
export function broadcastHeartbeat(core: CoreState, leader: Leader): void {
  leader.heartbeatElapsed = 0;
  const round = leader.reads.startRound(core.now, core.options.leaseReads);
  for (const progress of leader.tracker.all()) {
    if (progress.id === core.id) {
      progress.ackedRound = round;
      continue;
    }
    // Never beyond what the follower is known to hold: its log may differ after that.
    const leaderCommit = Math.min(progress.matchIndex, core.log.commitIndex);
    const loss = progress.knownLoss();
    const heartbeat: Heartbeat = {
      type: "Heartbeat",
      from: core.id,
      to: progress.id,
      fromIncarnation: core.incarnation,
      toIncarnation: progress.incarnation,
      term: core.currentTerm,
      leaderCommit,
      round,
    };
    core.send(loss === undefined ? heartbeat : { ...heartbeat, loss });
    progress.sentCommit(leaderCommit);
  }
}
