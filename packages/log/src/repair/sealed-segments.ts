/**
 * The sealed segments of a log that serves: reads them through to find what is damaged, and makes
 * anew what is, while everything else goes on.
 *
 *     scrub ──> header, first frame, footer, then entries, slice by slice
 *     repair ──> refill beside the file ──> one turn: rename, open, swap ──> sync of the names
 *
 * Only a segment is made anew whose successor is begun on the disk: that one repeats the promises.
 * Entries of it may be replaced by later ones meanwhile, or trimmed: what is cut is cut in the new
 * one, too, and what is trimmed needs no repair. Only what the disk knows to be replaced or trimmed
 * is left out of the new file: after a crash the log goes on from that.
 */

import { assert, sometimes } from "@quorumlog/std";
import type { EntryTable } from "../entry-table.ts";
import type { FileSystem } from "../file-system.ts";
import type { LogPosition } from "../log-entry.ts";
import { LogError, translated } from "../log-error.ts";
import type { LogState } from "../log-mark.ts";
import { openSegment, readFooterTable } from "../opened-segment.ts";
import { Segment } from "../segment.ts";
import { SEGMENT_HEADER_BYTES } from "../segment-header.ts";
import {
  type FetchEntries,
  type Refilled,
  type SegmentRepaired,
  SegmentRefill,
} from "./segment-refill.ts";

/** The log, as far as it is needed here. */
export interface SealedSegmentsInit {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  /** In order, with those that are not sealed. */
  readonly segments: () => readonly Segment[];
  /** The last segment that is begun on the disk. */
  readonly begunId: () => number;
  readonly state: () => Pick<LogState, "hardState" | "base">;
  /**
   * Calls back when the log on the disk is what it is in memory, base and tables; not if the log
   * fails before.
   */
  readonly whenOnDisk: (run: () => void) => void;
  readonly replace: (former: Segment, next: Segment) => void;
  /** The disk has failed in a way that leaves nothing to rely on. */
  readonly onFailure: (error: LogError) => void;
}

/** What a slice of a scrub has come to. */
export interface ScrubStep {
  /** Where to go on in the segment; `undefined` at its end, or where it is damaged. */
  readonly next: number | undefined;
  readonly bytes: number;
  readonly damage: LogError | undefined;
}

export class SealedSegments {
  readonly #init: SealedSegmentsInit;
  #work: { readonly segment: Segment; readonly refill: SegmentRefill } | undefined;
  /** Of a repair that waits for the disk. */
  #waiting: Done | undefined;
  #isStopped = false;
  #onIdle: (() => void) | undefined;

  constructor(init: SealedSegmentsInit) {
    this.#init = init;
  }

  /** Ids of the segments that can be read through and repaired, oldest first. */
  ids(): readonly number[] {
    return this.#sealed().map(({ id }) => id);
  }

  /** The segment that an entry is in; `undefined` if it is in none of these. */
  idWith(index: number): number | undefined {
    return this.#sealed().findLast(({ table }) => table.has(index))?.id;
  }

  /**
   * Reads some of a segment, and compares its checksums.
   *
   * @param from - Where the step before has ended; `undefined` at first.
   * A sector that the disk cannot read is damage, too: it may be written anew.
   */
  scrub(segmentId: number, from: number | undefined, bytesMax: number): ScrubStep {
    const segment = this.#find(segmentId);
    if (segment === undefined) return { next: undefined, bytes: 0, damage: undefined };
    try {
      const bytes = from === undefined ? demandFrame(segment) : 0;
      const { table } = segment;
      const low = Math.max(from ?? 0, table.firstIndex, this.#init.state().base.index + 1);
      if (table.count === 0 || low > table.lastIndex)
        return { next: undefined, bytes, damage: undefined };
      const entries = segment.read({ low, high: table.lastIndex + 1 }, bytesMax);
      const read = entries.reduce((sum, { data }) => sum + data.byteLength, bytes);
      return { next: low + entries.length, bytes: read, damage: undefined };
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      return { next: undefined, bytes: bytesMax, damage: error };
    }
  }

  /**
   * Makes a segment anew. One at a time.
   *
   * @param done - Called once, and at once if nothing can be begun: with what was done, or why
   *   there is no new file; the old one is as it was.
   */
  repair(segmentId: number, fetch: FetchEntries, done: Done): void {
    assert(
      this.#work === undefined && this.#waiting === undefined,
      "one segment is made anew at a time",
    );
    if (this.#find(segmentId) === undefined || this.#isStopped) {
      done(notNeeded());
      return;
    }
    this.#waiting = done;
    this.#init.whenOnDisk(() => {
      if (this.#waiting === undefined) return;
      this.#waiting = undefined;
      const segment = this.#find(segmentId);
      if (segment === undefined) done(notNeeded());
      else this.#begin(segment, fetch, done);
    });
  }

  #begin(segment: Segment, fetch: FetchEntries, done: Done): void {
    const table = segment.table.copy();
    const previous = this.#positionBefore(segment);
    const low = previous.index + 1;
    const high = table.count === 0 ? low : Math.max(low, table.lastIndex + 1);
    const { header, file, end } = segment;
    const source = new Segment({ header, file, table, end, isSealed: true });
    const { fileSystem, directory } = this.#init;
    const place = { fileSystem, directory, header, state: this.#state(high - 1) };
    const range = { low, high, previous, follower: undefined };
    const onRefilled = (result: Refilled | Error): void => {
      this.#work = undefined;
      if (result instanceof Error) done(result);
      else this.#take(segment, result, done);
      this.#onIdle?.();
    };
    let refill: SegmentRefill;
    try {
      refill = new SegmentRefill({ ...place, ...range, source, fetch }, onRefilled);
    } catch (error) {
      done(error as Error);
      return;
    }
    this.#work = { segment, refill };
    refill.start();
  }

  /** Segments are trimmed: what is being made anew may not be needed any more. */
  onDropped(dropped: readonly Segment[]): void {
    if (this.#work !== undefined && dropped.includes(this.#work.segment)) this.#work.refill.stop();
  }

  /** Ends what is under way; `onIdle` is called when nothing is, perhaps at once. */
  stop(onIdle: () => void): void {
    this.#isStopped = true;
    const done = this.#waiting;
    this.#waiting = undefined;
    done?.(notNeeded());
    this.#work?.refill.stop();
    if (this.#work === undefined) onIdle();
    else this.#onIdle = onIdle;
  }

  #take(segment: Segment, { rewrite, fetchedCount }: Refilled, done: Done): void {
    const { fileSystem, directory, replace, onFailure } = this.#init;
    if (this.#isStopped || this.#find(segment.id) !== segment) {
      rewrite.abandon();
      done(new LogError("LOG_CLOSED", "the segment is not needed any more"));
      return;
    }
    let next: Segment;
    try {
      next = rewrite.take();
    } catch (cause) {
      done(new LogError("LOG_FAILED", "a segment cannot be replaced", { file: directory, cause }));
      return;
    }
    cutAs(next.table, segment.table);
    replace(segment, next);
    try {
      segment.file.close();
    } catch {
      // Nothing of it is needed any more, whatever its disk says.
    }
    sometimes("damaged segment made anew while the log serves");
    fileSystem.syncDirectoryLater(directory, (cause) => {
      if (cause === undefined) done({ file: next.file.path, fetchedCount });
      else {
        const details = { file: directory, cause };
        onFailure(new LogError("LOG_FAILED", "the directory cannot be synced", details));
      }
    });
  }

  /**
   * The last entry before what a segment has to hold, by the tables: what is in memory may be ahead
   * of them. With all of a segment replaced that is the last entry before the segment: the new file
   * says so, and what it does not count would be cut.
   */
  #positionBefore({ id, table }: Segment): LogPosition {
    const { base } = this.#init.state();
    const before = this.#init.segments().filter((each) => each.id < id && each.table.count > 0);
    const index = table.count > 0 ? table.firstIndex - 1 : (before.at(-1)?.table.lastIndex ?? 0);
    if (index <= base.index) return { index: base.index, term: base.term };
    const holder = before.findLast((each) => each.table.has(index));
    assert(holder !== undefined, "what comes before is known");
    return { index, term: holder.table.termOf(index) };
  }

  /** Of now: the segment behind has repeated, on the disk, what this one said. */
  #state(lastIndex: number): LogState {
    const { hardState, base } = this.#init.state();
    const commitIndex = Math.min(hardState.commitIndex, Math.max(lastIndex, base.index));
    const syncedThrough = { segmentId: 0, offset: 0 };
    return { hardState: { ...hardState, commitIndex }, base, syncedThrough, isReset: false };
  }

  #sealed(): readonly Segment[] {
    const begunId = this.#init.begunId();
    return this.#init.segments().filter(({ isSealed, id }) => isSealed && id < begunId);
  }

  #find(segmentId: number): Segment | undefined {
    return this.#sealed().find(({ id }) => id === segmentId);
  }
}

type Done = (result: SegmentRepaired | Error) => void;

function notNeeded(): LogError {
  return new LogError("LOG_CLOSED", "there is no such segment any more");
}

/** What the next start of the node needs of the segment. @returns how many bytes that is. */
function demandFrame(segment: Segment): number {
  const { file } = segment;
  const opened = translated("a segment cannot be read", file.path, () => openSegment(file));
  const isSound = opened.first !== undefined && readFooterTable(opened) !== undefined;
  if (isSound) return segment.table.encodedBytes;
  throw new LogError("LOG_CORRUPT", "a segment's first frame or its footer is damaged", {
    file: file.path,
    offset: opened.first === undefined ? SEGMENT_HEADER_BYTES : segment.end,
  });
}

/** What was replaced meanwhile is no part of the new file, either. */
function cutAs(table: EntryTable, former: EntryTable): void {
  if (former.count === 0) table.clear();
  else table.cutFrom(former.lastIndex + 1);
}
