/**
 * Group commit: what is appended while the disk is busy goes to it as one write and one sync.
 *
 *     append ──> queue ──> encode ──> write ──> sync ──> onDurable, in order
 *                  ^                                │
 *                  └──── as long as there is more ──┘
 *
 * One write is under way at a time, so the order on the disk is that of the calls; a segment is
 * sealed by the write that fills it, and the next one is begun by the write after. After a failure
 * nothing is called any more.
 *
 * In flush mode `async`, a write of entries alone is answered before it is synced: that follows in
 * the background. A promise, a base, a segment's end and its beginning are synced first.
 */

import { assert } from "@quorumlog/std";
import type { AsyncFlush } from "./async-flush.ts";
import { BackgroundSync, type LateSync, type WrittenPoint } from "./background-sync.ts";
import { FrameWriter, SCRATCH_BYTES } from "./frame-writer.ts";
import type { HardState, LogBase, LogEntry, LogPosition } from "./log-entry.ts";
import {
  isBefore,
  type LogState,
  MARK_BYTES,
  stateBytes,
  type StreamPosition,
} from "./log-mark.ts";
import { isNoSpace } from "./no-space.ts";
import { type Segment, TRAILER_BYTES } from "./segment.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";

/** A stretch of the stream. */
export interface StreamItem {
  /** Term and vote, written before the entries; the commit index is written behind them. */
  readonly hardState: HardState | undefined;
  readonly base: LogBase | undefined;
  readonly isReset: boolean;
  readonly entries: readonly LogEntry[];
  readonly onDurable: () => void;
}

export interface AppendQueueInit {
  readonly active: Segment;
  /** Where the recovered stream stands. */
  readonly hardState: HardState;
  readonly base: LogBase;
  readonly last: LogPosition;
  /** Where to go on when the active segment is full. */
  readonly next: NextSegment;
  /** What the stream held from `index` on is replaced by what is encoded next. */
  readonly onRewrite: (index: number) => void;
  readonly onFailure: (error: Error, file: string, operation: DiskOperation) => void;
  /** `undefined`: everything is synced before it is answered. */
  readonly flush: AsyncFlush | undefined;
  /**
   * The entries up to there are on the disk, but for what is queued to rewrite them. Of no interest
   * without `flush`: each answer says it.
   */
  readonly onSynced: (lastIndex: number) => void;
  /** The sync that was under way when the queue was stopped is over. */
  readonly onLateSync: (outcome: LateSync) => void;
}

/** What of the disk has failed. */
export type DiskOperation = "write" | "sync";

/**
 * The segment that is made ahead. A segment is sealed only when its successor has its name on the
 * disk: so a sealed one without a successor has lost it.
 */
export interface NextSegment {
  readonly isReady: () => boolean;
  /** Calls back once, when it is. */
  readonly onReady: (run: () => void) => void;
  readonly take: () => Segment;
  /** The segment that was taken is begun, on the disk: the one after it may be made. */
  readonly onBegun: () => void;
}

/** Encoded for one write at most: beyond it, the next write is worth more than this one's size. */
const WRITE_BYTES_MAX = 8 << 20;

export class AppendQueue {
  readonly #init: AppendQueueInit;
  /** One write is under way at a time, so one is enough. */
  readonly #scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
  #items: StreamItem[] = [];
  /** Entries of `#items[0]` that are encoded. */
  #cursor = 0;
  /** Whether the state of `#items[0]` is encoded. */
  #isStateDone = false;
  #active: Segment;
  #isBusy = false;
  /** For the next segment. */
  #isWaiting = false;
  #isStopped = false;
  /** What is encoded so far: the stream as it will be read. */
  #hardState: HardState;
  #base: LogBase;
  #last: LogPosition;
  #syncedThrough: StreamPosition;
  /** Something is committed or synced that no mark says. */
  #hasNews = true;
  /** A mark is to be written when everything is synced. */
  #isMarkDue = false;
  readonly #background: BackgroundSync | undefined;
  #onIdle: (() => void) | undefined;

  constructor(init: AppendQueueInit) {
    this.#init = init;
    this.#active = init.active;
    this.#hardState = init.hardState;
    this.#base = init.base;
    this.#last = init.last;
    this.#syncedThrough = { segmentId: init.active.id, offset: init.active.end };
    const { flush } = init;
    if (flush === undefined) return;
    this.#background = new BackgroundSync({
      flush,
      onSynced: (point, error) => {
        this.#onBackgroundSynced(point, error);
      },
    });
  }

  get active(): Segment {
    return this.#active;
  }

  /** Whether what was answered is being synced: nobody hears of it once the queue is stopped. */
  get isSyncing(): boolean {
    return this.#background?.isSyncing === true;
  }

  push(item: StreamItem): void {
    this.#isMarkDue = false;
    this.#items.push(item);
    if (!this.#isBusy) this.#flush();
  }

  /** Writes a mark, if there is something new to say and nothing else to write. */
  mark(): void {
    if (this.#isBusy || this.#isStopped || !this.#hasNews) return;
    if (this.#background?.isClean === false) {
      // It is to say that everything before it is on the disk.
      this.#isMarkDue = true;
      this.#background.request();
      return;
    }
    if (this.#active.isSealed) this.#active = this.#init.next.take();
    const writer = new FrameWriter(this.#active, this.#scratch);
    if (!writer.hasRoom(MARK_BYTES)) {
      // The next segment begins with what a mark would say, at the next call.
      if (this.#init.next.isReady())
        this.#write({ writer, trailer: writer.footer(), finished: [], isSynced: true });
      return;
    }
    this.#hasNews = false;
    this.#begin(writer);
    this.#addMark(writer);
    this.#write({ writer, trailer: undefined, finished: [], isSynced: true });
  }

  /** Calls back when nothing is queued or under way; nothing may be pushed after that. */
  drain(onIdle: () => void): void {
    this.#onIdle = onIdle;
    if (!this.#isBusy) this.#becomeIdle();
  }

  /** Nothing is written or called back from here on. */
  stop(): void {
    this.#isStopped = true;
    this.#items = [];
    this.#background?.stop();
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#isBusy = false;
    this.#becomeIdle();
  }

  #flush(): void {
    assert(!this.#isBusy, "one write is under way at a time");
    // The sync that is under way comes back here.
    if (this.#isStopped || this.#background?.isBehind === true) return;
    if (this.#active.isSealed) this.#active = this.#init.next.take();
    const writer = new FrameWriter(this.#active, this.#scratch);
    const { finished, isFull } = this.#encode(writer);
    const isSealing = isFull && this.#init.next.isReady();
    if (writer.bytes > 0) {
      this.#addMark(writer);
      this.#hasNews = true;
    } else if (!isSealing) {
      this.#flushNothing(finished, isFull);
      return;
    }
    const trailer = isSealing ? writer.footer() : undefined;
    const isSynced = this.#background === undefined || isSealing || writer.hasState;
    this.#write({ writer, trailer, finished, isSynced });
  }

  /** The commit index moved, which need not be written; or there is no place to write. */
  #flushNothing(finished: readonly StreamItem[], isFull: boolean): void {
    // What is appended by a callback waits until all have been called.
    this.#isBusy = true;
    for (const { onDurable } of finished) if (!this.#isStopped) onDurable();
    if (!isFull || this.#isStopped) {
      this.#isBusy = false;
      if (this.#items.length > 0) this.#flush();
      else this.#becomeIdle();
      return;
    }
    this.#isWaiting = true;
    this.#init.next.onReady(() => {
      this.#isWaiting = false;
      this.#isBusy = false;
      this.#flush();
    });
  }

  /** Encodes what there is, up to what one write or the segment takes. */
  #encode(writer: FrameWriter): { readonly finished: StreamItem[]; readonly isFull: boolean } {
    const finished: StreamItem[] = [];
    let count = 0;
    for (const item of this.#items) {
      if (writer.bytes >= WRITE_BYTES_MAX) break;
      if (!this.#encodeItem(writer, item)) {
        this.#items.splice(0, count);
        return { finished, isFull: true };
      }
      finished.push(item);
      count += 1;
      this.#cursor = 0;
      this.#isStateDone = false;
    }
    this.#items.splice(0, count);
    return { finished, isFull: false };
  }

  /** @returns false if the segment is full before the end of it. */
  #encodeItem(writer: FrameWriter, item: StreamItem): boolean {
    const { hardState, base, entries } = item;
    if (!this.#isStateDone && !this.#encodeState(writer, item)) return false;
    const first = entries[this.#cursor];
    if (first !== undefined) {
      this.#begin(writer);
      // Only with room for it: a segment that is sealed before it must not forget what it replaces.
      if (!writer.hasRoom(first.data.byteLength)) return false;
      if (first.index <= this.#last.index) this.#rewrite(first.index);
    }
    for (; this.#cursor < entries.length; this.#cursor++) {
      const entry = entries[this.#cursor] as LogEntry;
      if (!writer.hasRoom(entry.data.byteLength)) return false;
      writer.entry(entry);
      this.#last = { term: entry.term, index: entry.index };
    }
    if (hardState !== undefined) {
      if (hardState.commitIndex !== this.#hardState.commitIndex) this.#hasNews = true;
      this.#hardState = hardState;
    }
    if (base !== undefined) this.#base = base;
    return true;
  }

  #encodeState(writer: FrameWriter, item: StreamItem): boolean {
    const { hardState, base, isReset } = item;
    const { currentTerm, votedFor, commitIndex } = this.#hardState;
    const isPromise =
      hardState !== undefined &&
      (hardState.currentTerm !== currentTerm || hardState.votedFor !== votedFor);
    if (isPromise || base !== undefined) {
      this.#begin(writer);
      const state: LogState = {
        hardState: { ...(hardState ?? this.#hardState), commitIndex },
        base: base ?? this.#base,
        isReset,
        syncedThrough: this.#syncedThrough,
      };
      if (!writer.hasRoom(stateBytes(state))) return false;
      if (isReset) {
        this.#rewrite(state.base.index + 1);
        this.#last = { term: state.base.term, index: state.base.index };
      }
      writer.state(state, this.#last);
      this.#hardState = state.hardState;
      this.#base = state.base;
    }
    this.#isStateDone = true;
    return true;
  }

  /** A segment begins with a whole account of the log before it. */
  #begin(writer: FrameWriter): void {
    if (writer.bytes > 0 || writer.position > SEGMENT_HEADER_BYTES) return;
    const hardState = this.#hardState;
    const syncedThrough = this.#syncedThrough;
    const state = { hardState, base: this.#base, isReset: false, syncedThrough };
    writer.state(state, this.#last);
  }

  #rewrite(index: number): void {
    this.#background?.onRewrite(index);
    this.#init.onRewrite(index);
  }

  #addMark(writer: FrameWriter): void {
    const { commitIndex } = this.#hardState;
    writer.mark({ commitIndex, syncedThrough: this.#syncedThrough }, this.#last);
  }

  #write(work: {
    readonly writer: FrameWriter;
    readonly trailer: Buffer | undefined;
    readonly finished: readonly StreamItem[];
    /** Whether it has to be on the disk before it is answered. */
    readonly isSynced: boolean;
  }): void {
    const { writer, trailer, finished, isSynced } = work;
    const segment = this.#active;
    const { file, header } = segment;
    this.#isBusy = true;
    segment.end += writer.bytes;
    const onSynced = (error: Error | undefined): void => {
      if (this.#hasFailed(error, "sync")) return;
      segment.isSealed = trailer !== undefined;
      if (writer.position === SEGMENT_HEADER_BYTES) this.#init.next.onBegun();
      this.#onSynced(finished);
    };
    const parts = writer.finish();
    if (trailer === undefined && this.#background === undefined) {
      // Everything before it is synced: one call of the system does for this.
      file.appendSynced(parts, writer.position, onSynced);
      return;
    }
    const sync = (): void => {
      file.sync(onSynced);
    };
    file.append(parts, writer.position, (error) => {
      if (this.#hasAppendFailed(error)) return;
      if (!isSynced) {
        this.#onWritten(finished, writer.bytes);
        return;
      }
      if (trailer === undefined) {
        this.#whenQuiet(sync);
        return;
      }
      file.write([trailer], header.segmentBytes - TRAILER_BYTES, (failure) => {
        if (!this.#hasFailed(failure)) this.#whenQuiet(sync);
      });
    });
  }

  #whenQuiet(sync: () => void): void {
    const run = (): void => {
      // What was being synced may have failed.
      if (!this.#hasFailed(undefined)) sync();
    };
    if (this.#background === undefined) run();
    else this.#background.yieldTo(run);
  }

  #onSynced(finished: readonly StreamItem[]): void {
    this.#syncedThrough = { segmentId: this.#active.id, offset: this.#active.end };
    this.#background?.onCovered();
    const { index } = this.#last;
    this.#answer(finished);
    if (this.#background !== undefined) this.#init.onSynced(index);
    this.#goOn();
  }

  /** Flush mode `async`: the kernel has it, and the disk will. */
  #onWritten(finished: readonly StreamItem[], bytes: number): void {
    const { file, id, end } = this.#active;
    const position = { segmentId: id, offset: end };
    this.#background?.onWritten({ file, position, lastIndex: this.#last.index }, bytes);
    this.#answer(finished);
    this.#goOn();
  }

  #onBackgroundSynced({ position, lastIndex }: WrittenPoint, error: Error | undefined): void {
    if (error !== undefined && !this.#isStopped) {
      this.stop();
      this.#init.onFailure(error, this.#active.file.path, "sync");
    } else if (this.#isStopped) this.#init.onLateSync(error === undefined ? "kept" : "lost");
    if (!this.#isStopped && isBefore(this.#syncedThrough, position)) {
      this.#syncedThrough = position;
      this.#hasNews = true;
      this.#init.onSynced(lastIndex);
    }
    // What is being written goes on by itself.
    if (this.#isBusy) return;
    const isMarkDue = this.#isMarkDue && this.#background?.isClean === true;
    if (this.#items.length > 0) this.#flush();
    else if (isMarkDue) this.mark();
    // A mark may have no place, or no time any more.
    this.#becomeIdle();
  }

  #answer(finished: readonly StreamItem[]): void {
    for (const { onDurable } of finished) if (!this.#isStopped) onDurable();
  }

  #goOn(): void {
    this.#isBusy = false;
    if (this.#items.length > 0) this.#flush();
    else this.#becomeIdle();
  }

  #becomeIdle(): void {
    if (this.#isBusy || this.#onIdle === undefined || this.#isUnsynced()) return;
    const onIdle = this.#onIdle;
    this.#onIdle = undefined;
    onIdle();
  }

  /** Something has to be synced first, or is being synced: it comes back when that is done. */
  #isUnsynced(): boolean {
    if (this.#background === undefined) return false;
    if (!this.#isStopped) this.#background.request();
    return this.#background.isUnderWay;
  }

  /**
   * Past the cache an append writes the end of the last one again, which was answered and perhaps
   * not synced: the block that cannot be written may be neither of both. A disk that is full has
   * blocks for what was there.
   */
  #hasAppendFailed(error: Error | undefined): boolean {
    const isLosing = this.#background !== undefined && error !== undefined && !isNoSpace(error);
    return this.#hasFailed(error, isLosing && !this.#isStopped ? "sync" : "write");
  }

  #hasFailed(error: Error | undefined, operation: DiskOperation = "write"): boolean {
    if (error === undefined && !this.#isStopped) return false;
    const isNews = !this.#isStopped;
    this.stop();
    this.#isBusy = false;
    if (isNews && error !== undefined)
      this.#init.onFailure(error, this.#active.file.path, operation);
    else if (operation === "sync") this.#init.onLateSync(error === undefined ? "kept" : "lost");
    this.#becomeIdle();
    return true;
  }
}
