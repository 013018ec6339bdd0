/**
 * Makes the next segment ready while the present one fills, so that nobody waits for it.
 *
 * Its zeros are on the disk before it is used: a sync then has bytes to write and no blocks to
 * find. A segment that was trimmed is used again, without that: its old frames have another seed.
 *
 *     spare.tmp: zeros or old bytes ──> header ──> sync ──> renamed to <id>.log ──> sync of names
 */

import { join } from "node:path";
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
const SYNC_BYTES = 4 << 20;

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

export class SegmentMaker {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  #isStopped = false;

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
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

  /**
   * Makes a segment, in the background.
   *
   * @param isRecycled - Whether the spare file holds the bytes of a trimmed segment.
   */
  make(header: SegmentHeader, isRecycled: boolean, done: (result: Made) => void): void {
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
    else this.#fill(file, 0, header.segmentBytes, finish);
  }

  /** Whatever is being made ends soon. Nothing is to be made after that. */
  stop(): void {
    this.#isStopped = true;
  }

  #fill(file: OpenFile, at: number, end: number, done: Done): void {
    if (at >= end || this.#isStopped) {
      done(undefined);
      return;
    }
    const count = Math.min(ZEROS.length, end - at);
    const next = (error: Error | undefined): void => {
      if (error !== undefined) done(error);
      else this.#fill(file, at + count, end, done);
    };
    file.write([ZEROS.subarray(0, count)], at, (error) => {
      const isSyncDue = (at + count) % SYNC_BYTES === 0;
      if (error === undefined && isSyncDue) file.sync(next);
      else next(error);
    });
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
