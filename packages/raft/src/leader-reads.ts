/**
 * Linearizable reads that wait on a leader (thesis §6.4).
 *
 * A read notes the commit index, then waits until a quorum has answered a heartbeat that was sent
 * *after* it arrived: that proves that no newer leader had committed anything by then. Heartbeats
 * carry a round that rises within the term, so an answer can never confirm a later read than the
 * one it was sent for, however late or often it is delivered (etcd #20418).
 *
 * Reads that arrive between two `Ready`s share one round.
 */

import { assert } from "@quorumlog/std";
import type { Incarnation, LogIndex, NodeId, Ticks } from "./ids.ts";

export interface ReadRequest {
  readonly from: NodeId;
  readonly fromIncarnation: Incarnation;
  readonly context: number;
}

interface PendingRead extends ReadRequest {
  readonly readIndex: LogIndex;
  /** The first round whose quorum confirms the read. */
  readonly round: number;
}

export interface ConfirmedRead extends ReadRequest {
  readonly readIndex: LogIndex;
}

export class LeaderReads {
  #round = 0;
  #isRoundWanted = false;
  /** Ascending by round. */
  #pending: PendingRead[] = [];
  /** Not even noted yet: the leader does not know what is committed before its no-op is. */
  #early: ReadRequest[] = [];
  /** When the rounds a quorum has yet to answer were sent, ascending; kept for the lease only. */
  #sentAt: { readonly round: number; readonly at: Ticks }[] = [];
  #leaseStart: Ticks | undefined;
  #isLeaseVoid = false;

  /** The last round that was broadcast. */
  get round(): number {
    return this.#round;
  }

  /** Whether a read waits for a round that was not broadcast yet. */
  get isRoundWanted(): boolean {
    return this.#isRoundWanted;
  }

  get count(): number {
    return this.#pending.length + this.#early.length;
  }

  /** Holds a read until an entry of the leader's term is committed. */
  addEarly(request: ReadRequest): void {
    this.#early.push(request);
  }

  takeEarly(): readonly ReadRequest[] {
    const early = this.#early;
    this.#early = [];
    return early;
  }

  add(request: ReadRequest, readIndex: LogIndex): void {
    this.#pending.push({ ...request, readIndex, round: this.#round + 1 });
    this.#isRoundWanted = true;
  }

  /** A new round is broadcast now; returns its number. */
  startRound(now: Ticks, keepsLease: boolean): number {
    this.#round += 1;
    this.#isRoundWanted = false;
    if (keepsLease) this.#sentAt.push({ round: this.#round, at: now });
    return this.#round;
  }

  /** A quorum has answered `round`: returns the reads that this confirms, oldest first. */
  confirm(round: number): readonly ConfirmedRead[] {
    assert(round <= this.#round, "no round is answered before it is sent");
    while (this.#sentAt[0] !== undefined && this.#sentAt[0].round <= round)
      this.#leaseStart = this.#sentAt.shift()?.at;
    let count = 0;
    while (count < this.#pending.length && (this.#pending[count] as PendingRead).round <= round)
      count += 1;
    return count === 0 ? [] : this.#pending.splice(0, count);
  }

  /**
   * Whether no other leader can exist at `now`: a quorum answered a heartbeat that was sent less
   * than `leaseTicks` ago, and refuses its votes to others for at least that long.
   */
  hasLease(now: Ticks, leaseTicks: Ticks): boolean {
    if (this.#isLeaseVoid || this.#leaseStart === undefined) return false;
    return now - this.#leaseStart < leaseTicks;
  }

  /** Somebody was told to campaign, lease or not: there is no lease again in this term. */
  voidLease(): void {
    this.#isLeaseVoid = true;
  }

  /** Everything that waits, for a leader that steps down. */
  takeAll(): readonly ReadRequest[] {
    const all = [...this.#pending, ...this.#early];
    this.#pending = [];
    this.#early = [];
    return all;
  }
}
