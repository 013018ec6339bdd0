/**
 * Makes the next segment ready while the present one fills, so that nobody waits for it.
 *
 * Its zeros are on the disk before it is used: a sync then has bytes to write and no blocks to
 * find. A segment that was trimmed is used again, without that: its old frames have another seed.
 * They are written at leisure, so that what is appended meanwhile does not wait for them. If the
 * log fills faster than that, the rest is left a hole: zeros would take half of what its disk can
 * write, and its syncs, of many bytes each, find blocks for all of them at once. See ADR 12.
 *
 *     spare.tmp: zeros, a hole or old bytes ──> header ──> sync ──> <id>.log ──> sync of names
 */

import { sometimes } from "@quorumlog/std";
import { join } from "node:path";
import type { After } from "./async-flush.ts";
import type { Done, FileSystem, OpenFile } from "./file-system.ts";
import { EntryTable } from "./entry-table.ts";
import { FrameWriter } from "./frame-writer.ts";
import type { LogState } from "./log-mark.ts";
import { Segment } from "./segment.ts";
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";

export const SPARE_NAME = "spare.tmp";
/** A damaged segment that is being made anew: see repair/segment-rewrite.ts. */
export const REPAIR_NAME = "repair.tmp";

const ZEROS = new Uint8Array(1 << 20);
/** Zeros between two syncs: a sync of more would hold up that of an append. */
const SYNC_BYTES = 1 << 19;
/** And of a small segment no more than such a part of it. */
const SYNC_SHARE = 1 / 8;
/** Between such a sync and more zeros: the disk is there for what is appended. */
const PAUSE_MS = 10;
/** Of the segment that is being written: with more of it filled, there is no time for zeros. */
const URGENT_SHARE = 0.5;
/** A hole may find no block when it is written: it is left where there is room for so many. */
const HOLE_ROOM_SEGMENTS = 16;

export function segmentName(segmentId: number): string {
  return `${segmentId.toString(16).padStart(16, "0")}.log`;
}

/** @returns `undefined` for any other file. */
export function segmentIdOf(name: string): number | undefined {
  const match = /^(?<id>[0-9a-f]{16})\.log$/u.exec(name);
  return match?.groups?.["id"] === undefined ? undefined : Number.parseInt(match.groups["id"], 16);
}

/** What came of making a segment. */
export type Made = Segment | Error | "stopped";

export interface MakeOptions {
  /** Whether the spare file holds the bytes of a trimmed segment. */
  readonly isRecycled: boolean;
  /** Of the segment that is being written. */
  readonly filledBytes: () => number;
}

export class SegmentMaker {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #after: After | undefined;
  /** Goes on with the zeros at once. */
  #onPause: (() => void) | undefined;
  #isStopped = false;

  /** @param after - Without it zeros are written without a pause. */
  constructor(fileSystem: FileSystem, directory: string, after?: After) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#after = after;
  }

  /** Makes the first segment of a log, begun, at once and in one: there is never half of it. */
  makeFirst(header: SegmentHeader, state: LogState): void {
    const file = this.#fileSystem.create(join(this.#directory, SPARE_NAME));
    try {
      for (let at = 0; at < header.segmentBytes; at += ZEROS.length)
        file.writeNow(ZEROS.subarray(0, Math.min(ZEROS.length, header.segmentBytes - at)), at);
      file.writeNow(encodeSegmentHeader(header), 0);
      const writer = new FrameWriter(segmentOf(header, file), Buffer.alloc(0));
      writer.state(state, state.base);
      file.writeNow(Buffer.concat(writer.finish()), SEGMENT_HEADER_BYTES);
      file.syncNow();
    } finally {
      file.close();
    }
    this.#take(header).file.close();
    this.#fileSystem.syncDirectory(this.#directory);
  }

  /** Makes a segment, in the background. */
  make(header: SegmentHeader, options: MakeOptions, done: (result: Made) => void): void {
    const { isRecycled, filledBytes } = options;
    if (this.#isStopped) {
      done("stopped");
      return;
    }
    const path = join(this.#directory, SPARE_NAME);
    let file: OpenFile;
    try {
      file = isRecycled ? this.#fileSystem.open(path, "readWrite") : this.#fileSystem.create(path);
    } catch (error) {
      done(error as Error);
      return;
    }
    const finish = (failure: Error | undefined): void => {
      if (failure !== undefined) giveUp(file, failure, done);
      else if (this.#isStopped) this.#abandon(file, done);
      else this.#finish(file, header, done);
    };
    // Its old name must be gone from the disk before its header is another one's.
    if (isRecycled) this.#fileSystem.syncDirectoryLater(this.#directory, finish);
    else this.#fill({ file, end: header.segmentBytes, filledBytes }, 0, finish);
  }

  /** Whatever is being made ends soon. Nothing is to be made after that. */
  stop(): void {
    this.#isStopped = true;
    this.#onPause?.();
  }

  #fill(spare: Spare, at: number, done: Done): void {
    const { file, end, filledBytes } = spare;
    if (at >= end || this.#isStopped) {
      done(undefined);
      return;
    }
    const stop = Math.min(at + Math.min(SYNC_BYTES, end * SYNC_SHARE), end);
    const zeros = ZEROS.subarray(0, stop - at);
    file.append([zeros], at, (error) => {
      if (error !== undefined) done(error);
      else
        file.sync((syncError) => {
          if (syncError !== undefined) done(syncError);
          else if (filledBytes() < end * URGENT_SHARE)
            this.#pause(() => {
              this.#fill(spare, stop, done);
            });
          else if (stop < end && this.#hasRoomForHoles(end)) {
            sometimes("a segment is made with a hole");
            file.write([ZEROS.subarray(0, 1)], end - 1, done);
          } else this.#fill(spare, stop, done);
        });
    });
  }

  #pause(run: () => void): void {
    if (this.#after === undefined || this.#isStopped) {
      run();
      return;
    }
    const goOn = (): void => {
      cancel();
      this.#onPause = undefined;
      run();
    };
    const cancel = this.#after(PAUSE_MS, goOn);
    this.#onPause = goOn;
  }

  #hasRoomForHoles(segmentBytes: number): boolean {
    try {
      return this.#fileSystem.freeBytes(this.#directory) >= HOLE_ROOM_SEGMENTS * segmentBytes;
    } catch {
      // Who cannot tell writes zeros.
      return false;
    }
  }

  #finish(file: OpenFile, header: SegmentHeader, done: (result: Made) => void): void {
    file.write([encodeSegmentHeader(header)], 0, (writeError) => {
      if (writeError !== undefined) {
        giveUp(file, writeError, done);
        return;
      }
      file.sync((syncError) => {
        if (syncError !== undefined) {
          giveUp(file, syncError, done);
          return;
        }
        let segment: Segment;
        try {
          file.close();
          segment = this.#take(header);
        } catch (error) {
          done(error as Error);
          return;
        }
        this.#fileSystem.syncDirectoryLater(this.#directory, (error) => {
          if (error === undefined) done(segment);
          else giveUp(segment.file, error, done);
        });
      });
    });
  }

  #abandon(file: OpenFile, done: (result: Made) => void): void {
    try {
      file.close();
      this.#fileSystem.remove(file.path);
    } catch (error) {
      done(error as Error);
      return;
    }
    done("stopped");
  }

  #take(header: SegmentHeader): Segment {
    const path = join(this.#directory, segmentName(header.segmentId));
    this.#fileSystem.rename(join(this.#directory, SPARE_NAME), path);
    return segmentOf(header, this.#fileSystem.open(path, "readWrite"));
  }
}

/** A file that becomes a segment. */
interface Spare {
  readonly file: OpenFile;
  readonly end: number;
  readonly filledBytes: () => number;
}

function segmentOf(header: SegmentHeader, file: OpenFile): Segment {
  const table = new EntryTable();
  return new Segment({ header, file, table, end: SEGMENT_HEADER_BYTES, isSealed: false });
}

function giveUp(file: OpenFile, failure: Error, done: (result: Made) => void): void {
  try {
    file.close();
  } catch {
    // What went wrong before is what there is to say.
  }
  done(failure);
}
