/**
 * Makes one sealed segment anew, beside the damaged one.
 *
 *     repair.tmp: header, state, entries ... footer, zeros, trailer ──> sync
 *         ──> renamed over <id>.log ──> sync of names
 *
 * A crash at any step leaves the damaged file under the name, or the new one, whole and synced:
 * nothing is renamed before its sync has returned, and a rename is one step. What a crash leaves
 * of `repair.tmp` means nothing, and is removed by the next start.
 *
 * The new file need not be the old one byte for byte: marks are left out, and so are entries that
 * were replaced later, as nobody reads them. The state that it begins with repeats what a later
 * segment says, so no promise can be lost by it.
 */

import { assert } from "@quorumlog/std";
import { join } from "node:path";
import { EntryTable } from "../entry-table.ts";
import type { Done, FileSystem, OpenFile } from "../file-system.ts";
import { FrameWriter, SCRATCH_BYTES } from "../frame-writer.ts";
import type { LogEntry, LogPosition } from "../log-entry.ts";
import type { LogState } from "../log-mark.ts";
import { Segment, TRAILER_BYTES } from "../segment.ts";
import {
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from "../segment-header.ts";
import { REPAIR_NAME, segmentName } from "../segment-maker.ts";

export interface RewriteInit {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly header: SegmentHeader;
  /** What the segment begins with; of a later one, or of now. */
  readonly state: LogState;
  /** The last entry before the segment. */
  readonly previous: LogPosition;
}

const ZEROS = new Uint8Array(1 << 20);

export class SegmentRewrite {
  readonly #init: RewriteInit;
  readonly #file: OpenFile;
  readonly #segment: Segment;
  readonly #scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
  #state: "open" | "writing" | "finished" | "over" = "open";

  /** Begins a file; what a former attempt has left of it goes. Errors are the file system's. */
  constructor(init: RewriteInit) {
    const { fileSystem, directory, header, state } = init;
    this.#init = init;
    const path = join(directory, REPAIR_NAME);
    if (fileSystem.list(directory)?.includes(REPAIR_NAME) === true) fileSystem.remove(path);
    const file = fileSystem.create(path);
    this.#file = file;
    const table = new EntryTable();
    const end = SEGMENT_HEADER_BYTES;
    this.#segment = new Segment({ header, file, table, end, isSealed: false });
    const writer = new FrameWriter(this.#segment, this.#scratch);
    // All before this segment was synced when it was begun.
    const syncedThrough = { segmentId: header.segmentId, offset: SEGMENT_HEADER_BYTES };
    writer.state({ ...state, syncedThrough, isReset: false }, init.previous);
    try {
      file.writeNow(encodeSegmentHeader(header), 0);
      file.writeNow(Buffer.concat(writer.finish()), SEGMENT_HEADER_BYTES);
    } catch (error) {
      this.abandon();
      throw error;
    }
    this.#segment.end += writer.bytes;
  }

  get table(): EntryTable {
    return this.#segment.table;
  }

  /**
   * Writes entries, as many as there is room for.
   *
   * @param entries - Borrowed until `done`; sound, and each the one after the last.
   * @returns how many; if there are none, `done` is not called.
   */
  write(entries: readonly LogEntry[], done: Done): number {
    assert(this.#state === "open", "one write is under way at a time");
    const segment = this.#segment;
    const writer = new FrameWriter(segment, this.#scratch);
    let count = 0;
    for (const entry of entries) {
      if (!writer.hasRoom(entry.data.byteLength)) break;
      writer.entry(entry);
      count += 1;
    }
    if (count === 0) return 0;
    this.#state = "writing";
    this.#file.write(writer.finish(), writer.position, (error) => {
      if (this.#state === "writing") this.#state = "open";
      done(error);
    });
    segment.end += writer.bytes;
    return count;
  }

  /** Seals it, and calls back when all of it is on the disk, under a name that means nothing. */
  finish(done: Done): void {
    assert(this.#state === "open", "what is written is finished once");
    this.#state = "writing";
    const { header } = this.#init;
    const segment = this.#segment;
    const writer = new FrameWriter(segment, this.#scratch);
    const trailer = writer.footer();
    const end = segment.end + writer.bytes;
    const trailerAt = header.segmentBytes - TRAILER_BYTES;
    this.#file.write(writer.finish(), writer.position, (footerError) => {
      this.#fill(footerError, end, trailerAt, (fillError) => {
        if (fillError !== undefined) {
          done(fillError);
          return;
        }
        this.#file.write([trailer], trailerAt, (trailerError) => {
          if (trailerError !== undefined) done(trailerError);
          else this.#sync(done);
        });
      });
    });
  }

  /**
   * Gives it its name, in place of the damaged file. The name is on the disk once the directory is
   * synced, which is the caller's to do; errors are the file system's.
   */
  take(): Segment {
    assert(this.#state === "finished", "only what is synced takes the place of anything");
    this.#state = "over";
    const { fileSystem, directory, header } = this.#init;
    const { table, end } = this.#segment;
    this.#file.close();
    const path = join(directory, segmentName(header.segmentId));
    fileSystem.rename(join(directory, REPAIR_NAME), path);
    const file = fileSystem.open(path, "readWrite");
    return new Segment({ header, file, table, end, isSealed: true });
  }

  /** Lets go of it. Nothing is to be under way. */
  abandon(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    try {
      this.#file.close();
      this.#init.fileSystem.remove(this.#file.path);
    } catch {
      // Its name means nothing: the next attempt, or the next start, removes what is left.
    }
  }

  #sync(done: Done): void {
    this.#file.sync((error) => {
      if (error === undefined && this.#state === "writing") this.#state = "finished";
      done(error);
    });
  }

  /** A segment that is used again later has its blocks on the disk. */
  #fill(error: Error | undefined, at: number, end: number, done: Done): void {
    if (error !== undefined || at >= end) {
      done(error);
      return;
    }
    const count = Math.min(ZEROS.length, end - at);
    this.#file.write([ZEROS.subarray(0, count)], at, (failure) => {
      this.#fill(failure, at + count, end, done);
    });
  }
}
