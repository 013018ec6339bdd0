/**
 * Every byte of every frame of one segment, against the checksums and against each other; but not
 * what fills up a frame, which nothing reads: a crash may leave there what a file held before.
 *
 * What is found is not yet judged: whether it is torn or corrupt depends on what was synced, and
 * later segments say that, too.
 */

import { EntryTable } from "../entry-table.ts";
import { FRAME_KIND } from "../frame.ts";
import type { LogPosition } from "../log-entry.ts";
import { decodeMark, decodeState, isBefore, type StreamPosition } from "../log-mark.ts";
import { isEntry } from "../segment.ts";
import { footerOffsetOf, type WalkedFrame, type WalkedGap, walkFrames } from "./frame-walk.ts";
import type { SegmentFile } from "./segment-file.ts";

export interface EntryRange {
  readonly first: number;
  readonly last: number;
}

export interface Finding {
  /**
   * `damage`: bytes are not what was written. `contradiction`: they are, but cannot all be true.
   * `note`: nothing is lost, and nothing has to be done.
   */
  readonly kind: "damage" | "contradiction" | "note";
  readonly segmentId: number;
  readonly file: string;
  readonly offset: number;
  /** 0 if it is about no stretch of bytes. */
  readonly bytes: number;
  readonly message: string;
  /** Whose frames these were, if that can be told. */
  readonly entries: EntryRange | undefined;
}

export interface SegmentScrub {
  readonly segmentId: number;
  readonly file: string;
  readonly findings: readonly Finding[];
  readonly frameCount: number;
  readonly entryCount: number;
  /** Behind the last frame. */
  readonly end: number;
  readonly hasFooter: boolean;
  /** Where the trailer says that the footer stands. */
  readonly footerOffset: number | undefined;
  readonly syncedThrough: StreamPosition;
  /** What the first frame says; `undefined` if it cannot be read, or there is none. */
  readonly beginning:
    | { readonly previous: LogPosition; readonly syncedThrough: StreamPosition }
    | undefined;
  /** The log's last entry at the end of it; `undefined` if damage hides that. */
  readonly last: LogPosition | undefined;
}

/** @param previous - The log's last entry before this segment, if that is known. */
export function scrubSegment(
  segment: SegmentFile,
  file: string,
  previous: LogPosition | undefined,
): SegmentScrub {
  return new Scrub(segment, file, previous).run();
}

class Scrub {
  readonly #segment: SegmentFile;
  readonly #file: string;
  readonly #findings: Finding[] = [];
  readonly #table = new EntryTable();
  /** Nothing is hidden by damage: the footer has to be what the frames make. */
  #isWhole = true;
  #last: LogPosition | undefined;
  /** The last entry before the damage, and where in the findings it is, until its end is known. */
  #open: { readonly after: number; readonly at: number } | undefined;
  #frameCount = 0;
  #entryCount = 0;
  #end: number;
  #hasFooter = false;
  #syncedThrough: StreamPosition = { segmentId: 0, offset: 0 };
  #beginning: SegmentScrub["beginning"];

  constructor(segment: SegmentFile, file: string, previous: LogPosition | undefined) {
    this.#segment = segment;
    this.#file = file;
    this.#last = previous;
    this.#end = 0;
  }

  run(): SegmentScrub {
    const { bytes, seed, header, fileBytes } = this.#segment;
    const { segmentId, segmentBytes } = header;
    if (fileBytes !== segmentBytes) {
      const at = { offset: Math.min(fileBytes, segmentBytes), end: segmentBytes };
      this.#add("damage", at, `the file has ${fileBytes} bytes, not ${segmentBytes}`);
    }
    for (const step of walkFrames(bytes, seed)) {
      if (step.what === "gap") this.#onGap(step);
      else this.#onFrame(step);
      this.#end = step.end;
    }
    const isCut = bytes.length < segmentBytes;
    return {
      segmentId,
      file: this.#file,
      findings: this.#findings,
      frameCount: this.#frameCount,
      entryCount: this.#entryCount,
      end: this.#end,
      hasFooter: this.#hasFooter,
      footerOffset: isCut ? undefined : footerOffsetOf(bytes, seed),
      syncedThrough: this.#syncedThrough,
      beginning: this.#beginning,
      last: this.#last,
    };
  }

  #onGap(gap: WalkedGap): void {
    this.#isWhole = false;
    const last = this.#last;
    if (last !== undefined) this.#open = { after: last.index, at: this.#findings.length };
    this.#last = undefined;
    this.#add("damage", gap, "no frame can be read here");
  }

  #onFrame(frame: WalkedFrame): void {
    const { header, isPayloadSound } = frame;
    const isFirst = this.#frameCount === 0 && this.#isWhole;
    this.#frameCount += 1;
    if (!isPayloadSound) this.#isWhole = false;
    if (isFirst && header.kind !== FRAME_KIND.state)
      this.#add("contradiction", frame, "a segment begins with no state");
    if (isEntry(header)) this.#onEntry(frame);
    else if (header.kind === FRAME_KIND.footer) this.#onFooter(frame);
    else this.#onAccount(frame, isFirst);
  }

  #onEntry(frame: WalkedFrame): void {
    const { term, index } = frame.header;
    this.#entryCount += 1;
    const entries = { first: index, last: index };
    if (!frame.isPayloadSound) this.#add("damage", frame, "an entry is damaged", entries);
    const last = this.#last;
    if (last !== undefined) {
      if (index > last.index + 1)
        this.#add("contradiction", frame, `entry ${index} follows entry ${last.index}`, {
          first: last.index + 1,
          last: index - 1,
        });
      const before = this.#termBefore(index, last);
      if (before !== undefined && term < before)
        this.#add("contradiction", frame, `term ${term} follows term ${before}`, entries);
    }
    this.#closeGap(index - 1);
    const table = this.#table;
    if (table.count > 0 && index > table.lastIndex + 1) table.clear();
    table.add({ term, index }, frame.offset);
    this.#last = { term, index };
  }

  #termBefore(index: number, last: LogPosition): number | undefined {
    if (index === last.index + 1) return last.term;
    return this.#table.has(index - 1) ? this.#table.termOf(index - 1) : undefined;
  }

  /** A state or a mark: what it says itself is checked for what has to be known of the log. */
  #onAccount(frame: WalkedFrame, isFirst: boolean): void {
    const { header, payload, isPayloadSound } = frame;
    const { term, index } = header;
    const isState = header.kind === FRAME_KIND.state;
    const name = isState ? "a state" : "a mark";
    if (!isPayloadSound) {
      this.#add("damage", frame, `${name} is damaged`);
      return;
    }
    const state = isState ? decodeState(payload) : undefined;
    const said = state ?? (isState ? undefined : decodeMark(payload));
    if (said === undefined) {
      this.#isWhole = false;
      this.#add("contradiction", frame, `${name} is of another form`);
      return;
    }
    const { syncedThrough } = said;
    if (isBefore(this.#syncedThrough, syncedThrough)) this.#syncedThrough = syncedThrough;
    if (isFirst) this.#beginning = { previous: { term, index }, syncedThrough };
    if (state?.isReset === true) {
      this.#table.clear();
      this.#open = undefined;
    } else {
      const last = this.#last;
      if (last !== undefined && (last.term !== term || last.index !== index)) {
        const stated = nameOf({ term, index });
        const message = `${name} has ${stated} as the last one, not ${nameOf(last)}`;
        this.#add("contradiction", frame, message);
      }
      this.#closeGap(index);
    }
    this.#last = { term, index };
  }

  #onFooter(frame: WalkedFrame): void {
    this.#hasFooter = true;
    if (!frame.isPayloadSound)
      this.#add("damage", frame, "the footer is damaged, which repeats what the frames say");
    else if (this.#isWhole && !frame.payload.equals(this.#table.encode()))
      this.#add("contradiction", frame, "the footer is not what the frames say");
  }

  /** The log went on, with `through` as the last entry behind what could not be read. */
  #closeGap(through: number): void {
    const open = this.#open;
    this.#open = undefined;
    const finding = open === undefined ? undefined : this.#findings[open.at];
    if (open === undefined || finding === undefined || through <= open.after) return;
    this.#findings[open.at] = { ...finding, entries: { first: open.after + 1, last: through } };
  }

  #add(
    kind: Finding["kind"],
    { offset, end }: { readonly offset: number; readonly end: number },
    message: string,
    entries?: EntryRange,
  ): void {
    const { segmentId } = this.#segment.header;
    const bytes = kind === "contradiction" ? 0 : end - offset;
    const file = this.#file;
    this.#findings.push({ kind, segmentId, file, offset, bytes, message, entries });
  }
}

function nameOf({ term, index }: LogPosition): string {
  return index === 0 ? "none" : `entry ${index} of term ${term}`;
}
