/**
 * Replication progress of one follower, as its leader sees it (thesis §3.5, §10.2.1).
 *
 *                  append accepted                 entry compacted away
 *     +---------+ ----------------> +-----------+ ----------------------> +----------+
 *     |  probe  |                   | replicate |                         | snapshot |
 *     +---------+ <---------------- +-----------+                         +----------+
 *          ^        append rejected, or peer unreachable                       |
 *          +------------------- snapshot applied, or abandoned ----------------+
 *
 * `probe` sends one append per heartbeat, because a wrong guess costs only one message.
 * `replicate` pipelines up to the inflight limits, advancing `nextIndex` before the reply.
 * `snapshot` sends nothing: the log no longer holds what the follower lacks.
 *
 * Invariants: `matchIndex < nextIndex`; `matchIndex` never decreases within a leader's term, but
 * for a follower whose host has cost it what it acknowledged: see loss.ts.
 * Not here: who counts towards a quorum (quorum.ts), and when to send (replication.ts).
 */

import { assert } from "@quorumlog/std";
import type { Incarnation, LogIndex, NodeId } from "./ids.ts";
import { type InflightLimits, Inflights } from "./inflights.ts";
import type { Loss } from "./loss.ts";

export type ProgressState = "probe" | "replicate" | "snapshot";

/** A copy for observers and operators. */
export interface ProgressView {
  readonly id: NodeId;
  readonly state: ProgressState;
  readonly matchIndex: LogIndex;
  readonly nextIndex: LogIndex;
  readonly isLearner: boolean;
  readonly isPaused: boolean;
  /** 0 for none. */
  readonly pendingSnapshotIndex: LogIndex;
  readonly recentActive: boolean;
  readonly inflightCount: number;
  readonly inflightFull: boolean;
  /** It may lack what it has acknowledged, and counts for nothing until it has caught up. */
  readonly isSuspect: boolean;
  /** As the follower counts them: see Loss. */
  readonly lossCount: number;
}

export class Progress {
  readonly id: NodeId;
  incarnation: Incarnation;
  isLearner = false;
  /** Heard from within the current check-quorum period. Always true of the leader itself. */
  recentActive = false;
  /** The highest heartbeat round that the follower answered. */
  ackedRound = 0;
  readonly inflights: Inflights;

  #state: ProgressState = "probe";
  #matchIndex: LogIndex = 0;
  #nextIndex: LogIndex;
  /** The commit index last sent; it falls back when that may have been lost. */
  #sentCommit: LogIndex = 0;
  #pendingSnapshotIndex: LogIndex = 0;
  #flowPaused = false;
  /** As the follower counts them; answers that know of fewer are from a former life of its log. */
  #lossCount = 0;
  #isSuspect = false;
  /** Where the leader's log ended when it learned of the last loss. */
  #missingUpTo: LogIndex = 0;

  constructor(init: {
    id: NodeId;
    incarnation: Incarnation;
    nextIndex: LogIndex;
    limits: InflightLimits;
  }) {
    assert(init.nextIndex >= 1, "there is nothing before index 1 to send");
    this.id = init.id;
    this.incarnation = init.incarnation;
    this.#nextIndex = init.nextIndex;
    this.inflights = new Inflights(init.limits);
  }

  get state(): ProgressState {
    return this.#state;
  }

  get matchIndex(): LogIndex {
    return this.#matchIndex;
  }

  get nextIndex(): LogIndex {
    return this.#nextIndex;
  }

  /** What a quorum may count on: nothing of a follower that is suspect. */
  get countedIndex(): LogIndex {
    return this.#isSuspect ? 0 : this.#matchIndex;
  }

  get isSuspect(): boolean {
    return this.#isSuspect;
  }

  get lossCount(): number {
    return this.#lossCount;
  }

  /** What the follower is to be told; `undefined` if it has had no loss. */
  knownLoss(): Loss | undefined {
    if (this.#lossCount === 0) return undefined;
    const isSuspect = this.#isSuspect && this.#matchIndex < this.#missingUpTo;
    return { count: this.#lossCount, isSuspect };
  }

  /**
   * The follower may have lost what it acknowledged: nothing is known of its log any more.
   *
   * @param lastIndex - Of the leader. Whatever it acknowledged and may be committed is before that.
   */
  becomeLost(loss: Loss, lastIndex: LogIndex): void {
    assert(loss.count > this.#lossCount, "losses are counted upwards");
    this.#lossCount = loss.count;
    this.#isSuspect = loss.isSuspect;
    this.#missingUpTo = lastIndex;
    this.#reset("probe");
    this.#matchIndex = 0;
    this.#sentCommit = 0;
  }

  /** The follower has noted that it caught up. */
  trust(): void {
    this.#isSuspect = false;
  }

  /** Whether sending has to wait for a reply, a heartbeat, or a snapshot. */
  get isPaused(): boolean {
    return this.#state === "snapshot" || this.#flowPaused;
  }

  /** Starts over from what is known to match, or from the snapshot that was sent. */
  becomeProbe(): void {
    const installed = this.#state === "snapshot" ? this.#pendingSnapshotIndex : 0;
    this.#reset("probe");
    this.#nextIndex = Math.max(this.#matchIndex, installed) + 1;
    this.#sentCommit = Math.min(this.#sentCommit, this.#nextIndex - 1);
  }

  becomeReplicate(): void {
    this.#reset("replicate");
    this.#nextIndex = this.#matchIndex + 1;
    this.#sentCommit = Math.min(this.#sentCommit, this.#nextIndex - 1);
  }

  becomeSnapshot(snapshotIndex: LogIndex): void {
    this.#reset("snapshot");
    this.#pendingSnapshotIndex = snapshotIndex;
    this.#nextIndex = snapshotIndex + 1;
    this.#sentCommit = snapshotIndex;
    // The match may lie above a snapshot that is older than what the follower has.
    if (this.#nextIndex <= this.#matchIndex) this.#nextIndex = this.#matchIndex + 1;
  }

  /** The snapshot did not arrive, so probing must not start behind it. */
  forgetPendingSnapshot(): void {
    this.#pendingSnapshotIndex = 0;
  }

  /** One message with `count` entries was sent. */
  sentEntries(count: number, bytes: number): void {
    assert(this.#state !== "snapshot", "nothing is appended while a snapshot is pending");
    if (this.#state === "replicate") {
      if (count > 0) {
        this.#nextIndex += count;
        this.inflights.add(this.#nextIndex - 1, bytes);
      }
      // With a full window an empty append is a probe: one per heartbeat (etcd e419ba5).
      this.#flowPaused = this.inflights.isFull();
    } else if (count > 0) {
      this.#flowPaused = true;
    }
  }

  sentCommit(commitIndex: LogIndex): void {
    this.#sentCommit = commitIndex;
  }

  /** Whether a message with this commit index could move the follower's. */
  canBumpCommit(commitIndex: LogIndex): boolean {
    return commitIndex > this.#sentCommit && this.#sentCommit < this.#nextIndex - 1;
  }

  /** The follower holds everything up to `index`, durably. Returns whether that is news. */
  maybeUpdate(index: LogIndex): boolean {
    if (index <= this.#matchIndex) return false;
    this.#matchIndex = index;
    this.#nextIndex = Math.max(this.#nextIndex, index + 1);
    this.#flowPaused = false;
    return true;
  }

  /**
   * The follower refused the append after `rejected` and suggests `hint`. Returns false if that
   * is old news, which duplicates and reordering bring.
   */
  maybeDecrease(rejected: LogIndex, hint: LogIndex): boolean {
    if (this.#state === "replicate") {
      if (rejected <= this.#matchIndex) return false;
      this.#nextIndex = this.#matchIndex + 1;
      this.#sentCommit = Math.min(this.#sentCommit, this.#nextIndex - 1);
      return true;
    }
    // A probe is answered for the one index it asked about.
    if (this.#nextIndex - 1 !== rejected) return false;
    this.#nextIndex = Math.max(Math.min(rejected, hint + 1), this.#matchIndex + 1);
    this.#sentCommit = Math.min(this.#sentCommit, this.#nextIndex - 1);
    this.#flowPaused = false;
    return true;
  }

  /** A heartbeat was answered: one more message may try. */
  resumeFlow(): void {
    this.#flowPaused = false;
  }

  pauseFlow(): void {
    this.#flowPaused = true;
  }

  view(): ProgressView {
    return {
      id: this.id,
      state: this.#state,
      matchIndex: this.#matchIndex,
      nextIndex: this.#nextIndex,
      isLearner: this.isLearner,
      isPaused: this.isPaused,
      pendingSnapshotIndex: this.#pendingSnapshotIndex,
      recentActive: this.recentActive,
      inflightCount: this.inflights.count,
      inflightFull: this.inflights.isFull(),
      isSuspect: this.#isSuspect,
      lossCount: this.#lossCount,
    };
  }

  checkInvariants(): void {
    assert(this.#matchIndex < this.#nextIndex, "matchIndex is below nextIndex");
    assert(
      this.#state === "snapshot" || this.#pendingSnapshotIndex === 0,
      "only in state snapshot is one pending",
    );
    assert(
      this.#state === "replicate" || this.inflights.count === 0,
      "only in state replicate are appends counted in flight",
    );
  }

  #reset(state: ProgressState): void {
    this.#flowPaused = false;
    this.#pendingSnapshotIndex = 0;
    this.#state = state;
    this.inflights.reset();
  }
}
