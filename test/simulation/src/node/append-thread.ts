/**
 * The thread that makes writes durable: in order, many under one sync.
 *
 *     submit ──> written ──┐
 *     submit ──> written ──┼── one sync ──> complete, complete, complete
 *     submit ──> written ──┘
 *
 * A sync covers what was written when it began. What is written meanwhile waits for the next one.
 * On some seeds each work has a sync of its own: then crashes can fall between any two. In flush
 * mode `async` works without a promise complete when they are written, and a sync comes later.
 */

import type { AppendWork } from "@quorumlog/raft";
import type { Prng } from "@quorumlog/std";
import type { Disk, DiskRecord } from "../engine/disk.ts";
import type { EventQueue, Micros } from "../engine/event-queue.ts";
import { exponential } from "../engine/network.ts";

export interface AppendJob {
  /** Of the disk, once the job's records were written. */
  readonly position: number;
  /** Whether anything in it has to survive a crash before it counts as done. */
  readonly mustSync: boolean;
  readonly complete: () => void;
}

export interface DiskTiming {
  readonly syncMin: Micros;
  readonly syncMean: Micros;
  /** One sync covers all that is written when it begins, in place of one work. */
  readonly isGrouped: boolean;
  /** Until what was written is synced in the background; `undefined`: it is synced first. */
  readonly flushDelay: Micros | undefined;
}

/** What a write takes that waits for no sync. */
const WRITE_TIME: Micros = 30;

export class AppendThread {
  readonly #queue: EventQueue;
  readonly #disk: Disk;
  readonly #prng: Prng;
  readonly #timing: DiskTiming;
  readonly #onSyncFailed: () => void;
  readonly #onSynced: () => void;
  readonly #jobs: AppendJob[] = [];
  #isSyncing = false;
  #isFlushScheduled = false;
  #isStopped = false;

  constructor(init: {
    queue: EventQueue;
    disk: Disk;
    prng: Prng;
    timing: DiskTiming;
    /** The disk has refused a sync: the node must stop. */
    onSyncFailed: () => void;
    /** Records became durable; jobs complete right after. */
    onSynced: () => void;
  }) {
    this.#queue = init.queue;
    this.#disk = init.disk;
    this.#prng = init.prng;
    this.#timing = init.timing;
    this.#onSyncFailed = init.onSyncFailed;
    this.#onSynced = init.onSynced;
  }

  get pendingCount(): number {
    return this.#jobs.length;
  }

  submit(job: AppendJob): void {
    this.#jobs.push(job);
    this.#advance();
  }

  /** The process is gone: nothing completes any more, though a sync begun may still take effect. */
  stop(): void {
    this.#isStopped = true;
    this.#jobs.length = 0;
  }

  #advance(): void {
    if (this.#isStopped) return;
    this.#completeReady();
    const next = this.#jobs[0];
    if (this.#isSyncing || next === undefined) return;
    this.#isSyncing = true;
    const target = this.#timing.isGrouped ? this.#disk.written : next.position;
    const isSynced = this.#disk.isPromise(target);
    this.#queue.schedule(isSynced ? this.#syncTime() : WRITE_TIME, () => {
      if (isSynced) this.#finishSync(target);
      else this.#finishWrite(target);
    });
  }

  #syncTime(): Micros {
    const { syncMin, syncMean } = this.#timing;
    const { slowness, stall } = this.#disk;
    return (syncMin + exponential(this.#prng, syncMean)) * slowness + stall;
  }

  #finishWrite(target: number): void {
    if (this.#isStopped) return;
    this.#isSyncing = false;
    this.#disk.syncTo(target);
    this.#flushLater();
    this.#onSynced();
    this.#advance();
  }

  #flushLater(): void {
    const { flushDelay } = this.#timing;
    if (flushDelay === undefined || this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    this.#queue.schedule(exponential(this.#prng, flushDelay) + this.#syncTime(), () => {
      this.#isFlushScheduled = false;
      if (this.#isStopped || !this.#hasSynced()) return;
      this.#disk.harden();
    });
  }

  /** A sync that fails has the node stop. */
  #hasSynced(): boolean {
    this.#disk.syncsUntilFailure -= 1;
    if (this.#disk.syncsUntilFailure >= 0) return true;
    this.#onSyncFailed();
    return false;
  }

  #finishSync(target: number): void {
    if (this.#isStopped) return;
    this.#isSyncing = false;
    if (!this.#hasSynced()) return;
    this.#disk.syncTo(target);
    this.#disk.harden();
    this.#onSynced();
    this.#advance();
  }

  #completeReady(): void {
    for (;;) {
      const next = this.#jobs[0];
      if (next === undefined) return;
      if (next.mustSync && next.position > this.#disk.synced) return;
      this.#jobs.shift();
      next.complete();
      if (this.#isStopped) return;
    }
  }
}

/** The records of a work, in the one order that is safe to cut anywhere: see disk.ts. */
export function recordsOf(work: AppendWork): DiskRecord[] {
  const { hardState, snapshot, entries } = work;
  const records: DiskRecord[] = [];
  if (hardState !== undefined) {
    const { currentTerm, votedFor } = hardState;
    records.push({ kind: "vote", currentTerm, votedFor });
  }
  if (snapshot !== undefined) records.push({ kind: "install", snapshot });
  for (const entry of entries) records.push({ kind: "entry", entry });
  if (hardState !== undefined) records.push({ kind: "commit", commitIndex: hardState.commitIndex });
  return records;
}
