/**
 * The log on a disk, in segment files.
 *
 *     append ──> tail (memory) ──> queue ──> active segment ──┐ full
 *                  │                                          v
 *     entries <────┴───────────── sealed segments <──── next segment, made ahead
 */

import { assert } from "@quorumlog/std";
import { join } from "node:path";
import { AppendQueue } from "./append-queue.ts";
import type { After, AsyncFlush } from "./async-flush.ts";
import type { LateSync } from "./background-sync.ts";
import { demandFit, demandSound } from "./batch-conditions.ts";
import { claimDirectory, demandConfigurationFits, type LogPlace } from "./create-log.ts";
import type { DirectoryLock } from "./file-system.ts";
import { entryBytes, type HardState, type LogBase, type LogEntry } from "./log-entry.ts";
import { LogError, translated } from "./log-error.ts";
import { isNoSpace } from "./no-space.ts";
import type { AppendBatch, EntryRange, LogStatus, LogStore } from "./log-store.ts";
import { LogTail } from "./log-tail.ts";
import {
  demandOwn,
  identityOf,
  recoverLog,
  type RecoveredLog,
  removeLeftovers,
} from "./recovery.ts";
import { SealedSegments } from "./repair/sealed-segments.ts";
import type { Segment } from "./segment.ts";
import { SegmentMaker, segmentName, SPARE_NAME } from "./segment-maker.ts";

export interface SegmentLogInit extends LogPlace {
  /** Something of the disk has failed: the node has to stop. Called once. */
  readonly onFailure: (error: LogError) => void;
  /** The sync that was under way as the log failed is over, whatever was said of it by then. */
  readonly onLateSync?: ((outcome: LateSync) => void) | undefined;
  /** For what has time; default: nothing waits. */
  readonly after?: After | undefined;
  /** Default: everything is synced before it is said to be durable. */
  readonly flush?: AsyncFlush | undefined;
}

export class SegmentLogStore implements LogStore {
  readonly #init: SegmentLogInit;
  readonly #lock: DirectoryLock;
  readonly #maker: SegmentMaker;
  readonly #queue: AppendQueue;
  /** Reads what is sealed through, and makes anew what is damaged of it. */
  readonly sealed: SealedSegments;
  readonly #tail: LogTail;
  readonly #salt: number;
  readonly #segments: Segment[];
  /** Trimmed as a whole, on the disk, too: its file is used again. */
  #trimmed: Segment | undefined;
  #next: Segment | undefined;
  #isMaking = false;
  #onMade: (() => void) | undefined;
  #hardState: HardState;
  #base: LogBase;
  #syncedIndex: number;
  /** From where on what is queued rewrites the log, for each time that it does. */
  readonly #rewrites: number[] = [];
  /** Of entries that were appended and are not durable yet. */
  #pendingBytes = 0;
  readonly #onClosed: (() => void)[] = [];
  #state: "open" | "closing" | "closed" | "failed" = "open";
  /** The last segment that is begun on the disk. */
  #begunId: number;
  /** Bytes that a crash had torn at the end, and that were cut as the log was opened. */
  readonly tornBytes: number;

  /**
   * Opens a log.
   *
   * @throws LogError for whatever is wrong with it: see the codes.
   */
  static open(init: SegmentLogInit): SegmentLogStore {
    const { fileSystem, directory, identity } = init;
    const lock = translated("the log cannot be opened", directory, () => {
      if (fileSystem.list(directory) === undefined)
        throw new LogError("LOG_MISSING", "there is no such directory", { file: directory });
      return claimDirectory(fileSystem, directory);
    });
    try {
      return translated("the log cannot be opened", directory, () => {
        const found = identityOf(fileSystem, directory);
        if (found !== undefined) demandOwn(found, identity, directory);
        const recovered = recoverLog(fileSystem, directory, "readWrite");
        try {
          removeLeftovers(fileSystem, directory, (recovered.segments[0] as Segment).id);
          fileSystem.syncDirectory(directory);
          return new SegmentLogStore(init, lock, recovered);
        } catch (error) {
          for (const { file } of recovered.segments) file.close();
          recovered.next?.file.close();
          throw error;
        }
      });
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  private constructor(init: SegmentLogInit, lock: DirectoryLock, recovered: RecoveredLog) {
    this.#init = init;
    this.#lock = lock;
    const { segments, next, state, last, tornBytes } = recovered;
    const active = segments.at(-1) as Segment;
    this.#maker = new SegmentMaker(init.fileSystem, init.directory, init.after);
    this.#segments = [...segments];
    this.#salt = active.header.salt;
    this.#next = next;
    this.#hardState = state.hardState;
    this.#base = state.base;
    this.#syncedIndex = last.index;
    this.tornBytes = tornBytes;
    const { tailBytesMax } = init.options;
    this.#tail = new LogTail({ nextIndex: last.index + 1, bytesMax: tailBytesMax });
    this.#queue = new AppendQueue({
      active,
      hardState: state.hardState,
      base: state.base,
      last,
      next: {
        isReady: () => this.#next !== undefined,
        onReady: (run) => {
          this.#onMade = run;
        },
        take: () => this.#takeNext(),
        onBegun: () => {
          this.#begunId = this.#queue.active.id;
          this.#makeNext();
        },
      },
      onRewrite: (index) => {
        this.#cutTables(index);
      },
      onFailure: (cause, file, operation) => {
        const details = { file, cause, hasLostWrites: operation === "sync" };
        this.#fail(new LogError("LOG_FAILED", "the log cannot be written", details));
      },
      flush: init.flush,
      onSynced: (index) => {
        this.#syncedIndex = this.#beforeRewrites(index);
      },
      onLateSync: (outcome) => {
        this.#init.onLateSync?.(outcome);
      },
    });
    this.#begunId = active.id;
    this.sealed = this.#careForSealed();
    this.#dropTrimmed(state.base.index);
    if (next === undefined) this.#makeNext();
  }

  #careForSealed(): SealedSegments {
    const { fileSystem, directory } = this.#init;
    return new SealedSegments({
      fileSystem,
      directory,
      segments: () => this.#segments,
      begunId: () => this.#begunId,
      state: () => ({ hardState: this.#hardState, base: this.#base }),
      whenOnDisk: (run) => {
        this.#whenOnDisk(run);
      },
      replace: (former, next) => {
        this.#segments[this.#segments.indexOf(former)] = next;
      },
      onFailure: (error) => {
        this.#fail(error);
      },
    });
  }

  hardState(): HardState {
    return this.#hardState;
  }

  base(): LogBase {
    return this.#base;
  }

  firstIndex(): number {
    return this.#base.index + 1;
  }

  lastIndex(): number {
    return this.#tail.nextIndex - 1;
  }

  term(index: number): number | undefined {
    const base = this.#base;
    if (index === base.index) return base.term;
    if (index < base.index || index > this.lastIndex()) return undefined;
    if (index >= this.#tail.firstIndex) return this.#tail.at(index).term;
    return this.#segmentWith(index).table.termOf(index);
  }

  entries(range: EntryRange): readonly LogEntry[] | undefined {
    const { low, high, bytesMax } = range;
    if (this.#state === "closed") throw new LogError("LOG_CLOSED", "the log is closed");
    if (low <= this.#base.index) return undefined;
    assert(low < high && high <= this.lastIndex() + 1, "the range is stored");
    if (low >= this.#tail.firstIndex) return this.#tail.read(range);
    const segment = this.#segmentWith(low);
    // To the end of the segment: whoever wants more asks again.
    const end = Math.min(high, segment.table.lastIndex + 1, this.#tail.firstIndex);
    return this.#reading(() => segment.read({ low, high: end }, bytesMax));
  }

  part(index: number, start: number, end: number): Uint8Array | undefined {
    if (this.#state === "closed") throw new LogError("LOG_CLOSED", "the log is closed");
    if (index <= this.#base.index) return undefined;
    if (index >= this.#tail.firstIndex) return this.#tail.part(index, start, end);
    return this.#reading(() => this.#segmentWith(index).readPart(index, start, end));
  }

  #reading<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (error instanceof LogError && error.code === "LOG_FAILED") this.#fail(error);
      throw error;
    }
  }

  isOpen(): boolean {
    return this.#state === "open";
  }

  append(batch: AppendBatch, onDurable: () => void): void {
    this.#demandOpen();
    const { hardState, reset, entries } = batch;
    demandFit(batch, this.#base, this.#init.options);
    demandSound(batch, this.#hardState, this.lastIndex());
    if (hardState !== undefined) this.#hardState = hardState;
    const rewritten = this.#rewrittenFrom(batch);
    if (reset !== undefined) {
      this.#base = reset;
      this.#tail.reset(reset.index + 1);
    }
    const first = entries[0];
    if (first !== undefined) {
      assert(first.index > this.#base.index, "what is trimmed is not written again");
      assert(first.index <= this.lastIndex() + 1, "entries follow the log without a gap");
      this.#tail.cutFrom(first.index);
      this.#tail.append(entries);
    }
    if (rewritten !== undefined) {
      this.#rewrites.push(rewritten);
      this.#syncedIndex = Math.min(this.#syncedIndex, rewritten - 1);
    }
    const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
    this.#pendingBytes += bytes;
    const last = this.lastIndex();
    const isReset = reset !== undefined;
    this.#queue.push({
      hardState,
      base: reset,
      isReset,
      entries,
      onDurable: () => {
        this.#pendingBytes -= bytes;
        if (rewritten !== undefined) this.#rewrites.shift();
        if (entries.length > 0 || isReset) this.#onWritten(last);
        if (isReset) this.#dropTrimmed(reset.index);
        if (this.#state !== "failed") onDurable();
      },
    });
  }

  /** From where on the batch replaces what was appended before. */
  #rewrittenFrom({ reset, entries }: AppendBatch): number | undefined {
    if (reset !== undefined) return reset.index + 1;
    const first = entries[0];
    return first !== undefined && first.index <= this.lastIndex() ? first.index : undefined;
  }

  #onWritten(last: number): void {
    const index = this.#beforeRewrites(last);
    if (this.#init.flush === undefined) this.#syncedIndex = index;
    this.#tail.release(index);
  }

  /** What is queued may rewrite what was written just now: it stays in memory until it did. */
  #beforeRewrites(last: number): number {
    return Math.min(last, ...this.#rewrites.map((index) => index - 1));
  }

  trim(base: LogBase, onDurable: () => void): void {
    this.#demandOpen();
    demandConfigurationFits(base, this.#init.options);
    assert(base.index >= this.#base.index, "a trim does not go back");
    assert(this.term(base.index) === base.term, "a log is trimmed at an entry it holds");
    this.#base = base;
    this.#queue.push({
      hardState: undefined,
      base,
      isReset: false,
      entries: [],
      onDurable: () => {
        this.#dropTrimmed(base.index);
        if (this.#state !== "failed") onDurable();
      },
    });
  }

  /** Says once more where the log begins, which is synced with everything before it. */
  #whenOnDisk(run: () => void): void {
    if (this.#state !== "open") return;
    const base = this.#base;
    const onDurable = (): void => {
      if (this.#base === base) run();
      else this.#whenOnDisk(run);
    };
    this.#queue.push({ hardState: undefined, base, isReset: false, entries: [], onDurable });
  }

  mark(): void {
    if (this.#state === "open") this.#queue.mark();
  }

  pendingBytes(): number {
    return this.#pendingBytes;
  }

  status(): LogStatus {
    const segments = [this.#trimmed, ...this.#segments, this.#next].filter(
      (segment) => segment !== undefined,
    );
    const index = this.lastIndex();
    return {
      firstIndex: this.firstIndex(),
      last: { index, term: this.term(index) ?? 0 },
      syncedIndex: Math.min(this.#syncedIndex, index),
      hardState: this.#hardState,
      base: this.#base,
      segmentCount: segments.length,
      bytes: segments.reduce((sum, { header }) => sum + header.segmentBytes, 0),
      pendingBytes: this.#pendingBytes,
    };
  }

  close(onClosed: () => void): void {
    if (this.#state === "closed") {
      onClosed();
      return;
    }
    this.#onClosed.push(onClosed);
    if (this.#onClosed.length > 1) return;
    if (this.#state === "open") this.#state = "closing";
    // What is under way comes to its end, after a failure, too: the lock says that nobody writes.
    this.#queue.drain(() => {
      // All is on the disk now: the last mark says so.
      if (this.#state === "closing") this.#queue.mark();
      this.#queue.drain(() => {
        this.#queue.stop();
        this.#maker.stop();
        this.sealed.stop(() => {
          this.#onMade = () => {
            this.#release();
          };
          if (!this.#isMaking) this.#release();
        });
      });
    });
  }

  #demandOpen(): void {
    if (this.#state !== "open") throw new LogError("LOG_CLOSED", `the log is ${this.#state}`);
  }

  #segmentWith(index: number): Segment {
    const segment = this.#segments.findLast(({ table }) => table.has(index));
    assert(segment !== undefined, "an entry before the tail is in a segment");
    return segment;
  }

  /** What is on the disk beyond `index` is no part of the log any more. */
  #cutTables(index: number): void {
    for (let i = this.#segments.length - 1; i >= 0; i--) {
      const { table } = this.#segments[i] as Segment;
      if (table.count > 0 && table.lastIndex < index) return;
      table.cutFrom(index);
    }
  }

  #takeNext(): Segment {
    const next = this.#next;
    assert(next !== undefined, "a segment is sealed when the next one is there");
    this.#next = undefined;
    this.#segments.push(next);
    return next;
  }

  #makeNext(): void {
    assert(!this.#isMaking, "one segment is made at a time");
    this.#isMaking = true;
    const { identity, options } = this.#init;
    const segmentId = (this.#segments.at(-1) as Segment).id + 1;
    const { segmentBytes } = options;
    const header = { identity, segmentId, segmentBytes, salt: this.#salt };
    const isRecycled = this.#takeTrimmed(segmentBytes);
    const filledBytes = (): number => this.#queue.active.end;
    this.#maker.make(header, { isRecycled, filledBytes }, (result) => {
      this.#isMaking = false;
      if (result instanceof Error) {
        const file = join(this.#init.directory, segmentName(segmentId));
        this.#fail(new LogError("LOG_FAILED", "a segment cannot be made", { file, cause: result }));
      } else if (result !== "stopped") this.#next = result;
      const onMade = this.#onMade;
      this.#onMade = undefined;
      if (this.#state !== "failed" || this.#onClosed.length > 0) onMade?.();
    });
  }

  /** Makes a spare file of a segment that was trimmed, if there is one of that size. */
  #takeTrimmed(segmentBytes: number): boolean {
    const trimmed = this.#trimmed;
    if (trimmed === undefined || trimmed.header.segmentBytes !== segmentBytes) return false;
    const { directory, fileSystem } = this.#init;
    this.#trimmed = undefined;
    try {
      trimmed.file.close();
      fileSystem.rename(trimmed.file.path, join(directory, SPARE_NAME));
    } catch (cause) {
      const file = trimmed.file.path;
      this.#fail(new LogError("LOG_FAILED", "a segment cannot be used again", { file, cause }));
    }
    return true;
  }

  /**
   * Removes the segments that hold nothing behind `baseIndex`, but one, which will be used again.
   *
   * Called when what is encoded is on the disk, and nothing else: a segment that a crash brought
   * back to life must still be there.
   */
  #dropTrimmed(baseIndex: number): void {
    const { directory, fileSystem } = this.#init;
    const segments = this.#segments;
    const count = segments.findIndex(
      ({ isSealed, table }, i) =>
        !isSealed || i === segments.length - 1 || (table.count > 0 && table.lastIndex > baseIndex),
    );
    const trimmed = segments.splice(0, count);
    this.sealed.onDropped(trimmed);
    if (this.#trimmed === undefined) this.#trimmed = trimmed.pop();
    if (trimmed.length === 0) return;
    try {
      for (const { file } of trimmed) {
        file.close();
        fileSystem.remove(file.path);
      }
    } catch (cause) {
      this.#fail(
        new LogError("LOG_FAILED", "a segment cannot be removed", { file: directory, cause }),
      );
      return;
    }
    fileSystem.syncDirectoryLater(directory, (cause) => {
      if (cause === undefined) return;
      this.#fail(
        new LogError("LOG_FAILED", "the directory cannot be synced", { file: directory, cause }),
      );
    });
  }

  #fail(error: LogError): void {
    if (this.#state === "failed" || this.#state === "closed") return;
    this.#state = "failed";
    this.#queue.stop();
    this.#maker.stop();
    // A sync that is under way may fail as well, and perhaps nobody is there then to note it. That
    // of a disk that is merely full does not: what is synced has its blocks.
    const isLosing = this.#queue.isSyncing && !error.hasLostWrites && !isNoSpace(error.cause);
    this.#init.onFailure(isLosing ? LogError.losing(error) : error);
  }

  #release(): void {
    const files = [this.#trimmed, ...this.#segments, this.#next];
    let failure: unknown;
    for (const segment of files)
      try {
        segment?.file.close();
      } catch (error) {
        failure ??= error;
      }
    this.#lock.release();
    if (failure !== undefined && this.#state === "closing") {
      const details = { file: this.#init.directory, cause: failure };
      this.#fail(new LogError("LOG_FAILED", "a segment cannot be closed", details));
    }
    this.#state = "closed";
    for (const onClosed of this.#onClosed.splice(0)) onClosed();
  }
}
