/**
 * Syncs what was written behind the back of whoever writes on.
 *
 *     written ──> unsynced ──── bytes, or time ────> sync under way ──> synced
 *                     ^                                    │
 *                     └──── what is written meanwhile ─────┘
 *
 * One sync is under way at a time, that of a promise, too: of two at once on one file the kernel
 * tells an error to one alone, and the other would pass for a success. All that is unsynced is in
 * one file: a segment is sealed by a write that is synced before anything else is written.
 */

import { assert } from "@quorumlog/std";
import type { AsyncFlush } from "./async-flush.ts";
import type { OpenFile } from "./file-system.ts";
import type { StreamPosition } from "./log-mark.ts";

/** How far the stream was written at some time. */
export interface WrittenPoint {
  readonly file: OpenFile;
  readonly position: StreamPosition;
  /** The last entry before it, as far as nothing rewrote it since. */
  readonly lastIndex: number;
}

/** What became of a sync that was under way as its log failed. */
export type LateSync = "kept" | "lost";

export interface BackgroundSyncInit {
  readonly flush: AsyncFlush;
  /** Everything before the point is on the disk; or it is not known what is, after an error. */
  readonly onSynced: (point: WrittenPoint, error: Error | undefined) => void;
}

export class BackgroundSync {
  readonly #init: BackgroundSyncInit;
  /** Up to where it was written, if that is further than any sync covers. */
  #unsynced: WrittenPoint | undefined;
  #unsyncedBytes = 0;
  #underWay: WrittenPoint | undefined;
  #isDue = false;
  #isStopped = false;
  /** Somebody else syncs what is unsynced, or is about to. */
  #isHeld = false;
  #onQuiet: (() => void) | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(init: BackgroundSyncInit) {
    this.#init = init;
  }

  get isUnderWay(): boolean {
    return this.#underWay !== undefined;
  }

  /** Here, or by somebody else. */
  get isSyncing(): boolean {
    return this.isUnderWay || this.#isHeld;
  }

  /** Nothing is unsynced. */
  get isClean(): boolean {
    return this.#unsynced === undefined && this.#underWay === undefined;
  }

  /** The disk does not keep up: to write more would put more at risk than was asked for. */
  get isBehind(): boolean {
    return this.isUnderWay && this.#unsyncedBytes >= this.#init.flush.bytes;
  }

  /** `bytes` more were written, up to `point`. */
  onWritten(point: WrittenPoint, bytes: number): void {
    const { flush } = this.#init;
    this.#unsynced = point;
    this.#unsyncedBytes += bytes;
    if (this.#unsyncedBytes >= flush.bytes) this.request();
    else
      this.#cancelTimer ??= flush.after(flush.intervalMs, () => {
        this.#cancelTimer = undefined;
        if (!this.#isStopped) this.request();
      });
  }

  /**
   * Somebody else is to sync everything that was written: calls `run` when nothing else is being
   * synced, perhaps at once. Nothing else is before {@link onCovered}.
   */
  yieldTo(run: () => void): void {
    assert(this.#onQuiet === undefined, "one write is under way at a time");
    this.#isHeld = true;
    if (this.isUnderWay) this.#onQuiet = run;
    else run();
  }

  /** Somebody else has synced everything that was written. */
  onCovered(): void {
    this.#isHeld = false;
    this.#forget();
  }

  /** What was written from `index` on is replaced by what is written next. */
  onRewrite(index: number): void {
    this.#underWay = pointBefore(this.#underWay, index);
    this.#unsynced = pointBefore(this.#unsynced, index);
  }

  /** Syncs what is unsynced, once nothing else is being synced. */
  request(): void {
    this.#isDue = true;
    this.#maybeBegin();
  }

  /** Begins nothing from here on. */
  stop(): void {
    this.#isStopped = true;
    this.#isDue = false;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #maybeBegin(): void {
    const point = this.#unsynced;
    if (this.isUnderWay || this.#isHeld || point === undefined) return;
    assert(!this.#isStopped, "nothing is synced after the end");
    this.#forget();
    this.#underWay = point;
    point.file.sync((error) => {
      const reached = this.#underWay ?? point;
      this.#underWay = undefined;
      if (error === undefined && this.#isDue) this.#maybeBegin();
      this.#init.onSynced(reached, error);
      const onQuiet = this.#onQuiet;
      this.#onQuiet = undefined;
      onQuiet?.();
    });
  }

  #forget(): void {
    this.#unsynced = undefined;
    this.#unsyncedBytes = 0;
    this.#isDue = false;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}

/** Of what was written up to a point, what is not replaced from `index` on. */
function pointBefore(point: WrittenPoint | undefined, index: number): WrittenPoint | undefined {
  if (point === undefined || point.lastIndex < index) return point;
  return { ...point, lastIndex: index - 1 };
}
