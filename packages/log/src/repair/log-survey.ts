/**
 * What is sound in the directory of a damaged log, and which segments have to be made anew.
 *
 * Each segment that was begun, but for the last, is one of these:
 *
 *     sound       header, first frame, and a table: from the footer, or from frames without gap
 *     to mend     the footer is sound, so it is known what was in it; header or first frame is not
 *     lost        nothing says what was in it, or it is gone: what its neighbours do not hold
 *
 * What is lost reaches from the entry behind the last one before it to the first one behind it.
 */

import { join } from "node:path";
import { assert, required } from "@quorumlog/std";
import type { FileSystem, OpenFile } from "../file-system.ts";
import type { LogPosition } from "../log-entry.ts";
import { LogError } from "../log-error.ts";
import type { LogState } from "../log-mark.ts";
import {
  type ActiveScan,
  demandSynced,
  type OpenedSegment,
  openSegment,
  readAll,
  readFooterTable,
  readSealedTable,
  scanActive,
  segmentBehind,
} from "../opened-segment.ts";
import { Segment } from "../segment.ts";
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from "../segment-header.ts";
import { segmentIdOf, segmentName } from "../segment-maker.ts";
import { findRemains, type SegmentScan } from "../segment-scan.ts";
import { settleTail } from "../settled-tail.ts";

/** A segment that has to be made anew. */
export interface SegmentPlan {
  readonly file: string;
  readonly header: SegmentHeader;
  /** Of the first sound segment behind it. */
  readonly state: LogState;
  /** What is left of it; `undefined` if it is lost. */
  readonly source: Segment | undefined;
  /** The last entry when the first sound segment behind it was begun. */
  readonly follower: LogPosition;
}

/** A segment as it was found. */
interface Slot {
  readonly id: number;
  readonly path: string;
  readonly opened: OpenedSegment | undefined;
  /** With its table, as far as that is known. */
  segment: Segment | undefined;
  isSound: boolean;
}

/**
 * Why peers could not repair a log that does not open, as far as can be told without asking them;
 * `undefined` if nothing speaks against it. Changes nothing.
 */
export function repairRefusal(
  fileSystem: FileSystem,
  directory: string,
  damage: LogError,
): LogError | undefined {
  if (damage.code !== "LOG_CORRUPT" && damage.code !== "LOG_SEGMENT_MISSING") return undefined;
  try {
    surveyLog(fileSystem, directory, { damage, access: "read" }).close();
    return undefined;
  } catch (error) {
    if (error instanceof LogError) return error;
    throw error;
  }
}

/**
 * @param found - `access`: `read` changes nothing, and cuts nothing off.
 * @throws LogError `damage`, with the reason why it cannot be repaired.
 */
export function surveyLog(
  fileSystem: FileSystem,
  directory: string,
  found: { readonly damage: LogError; readonly access: "read" | "readWrite" },
): LogSurvey {
  const files: OpenFile[] = [];
  const open = (path: string): OpenFile => {
    const file = fileSystem.open(path, "read");
    files.push(file);
    return file;
  };
  try {
    return new LogSurvey({ fileSystem, directory, ...found, files, open });
  } catch (error) {
    for (const file of files) file.close();
    throw error;
  }
}

interface SurveyInit {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly damage: LogError;
  readonly access: "read" | "readWrite";
  readonly files: OpenFile[];
  readonly open: (path: string) => OpenFile;
}

export class LogSurvey {
  readonly plans: readonly SegmentPlan[];
  readonly state: LogState;
  readonly #init: SurveyInit;
  readonly #active: Segment;
  readonly #last: LogPosition;
  /** Those before the active one, in order, without gap. */
  readonly #slots: Slot[];

  constructor(init: SurveyInit) {
    this.#init = init;
    const found = this.#openAll();
    const active = found.findLast(({ opened }) => opened?.first !== undefined);
    if (active?.opened === undefined) throw this.#refused("nothing says what was promised last");
    const { bytes, scan } = this.#scanActive(active.opened, found.at(-1) as Slot);
    this.state = required(scan.state, "a segment that is begun has a state");
    this.#last = required(scan.last, "a segment that is begun has a last entry");
    const { header, file } = active.opened;
    const { table, end } = scan;
    this.#active = new Segment({ header, file, table, end, isSealed: false });
    this.#slots = this.#fillGaps(found.filter(({ id }) => id < active.id));
    this.#readTables(active.opened);
    this.#cut(active.opened, scan);
    this.#maybeAddFirst();
    this.plans = this.#plan(active.opened);
    if (init.access === "readWrite") this.#settle(active.opened, bytes, scan);
  }

  /** Segments whose entries can be read, oldest first. */
  get segments(): readonly Segment[] {
    const known = this.#slots.map(({ segment }) => segment);
    return [...known, this.#active].filter((segment) => segment !== undefined);
  }

  /** What a segment that is made anew has to hold: of a lost one, at most. */
  rangeOf({ source, follower, header }: SegmentPlan): { low: number; high: number } {
    const base = this.state.base.index;
    if (source !== undefined && source.table.count > 0) {
      const { table } = source;
      if (table.lastIndex <= base) return { low: base + 1, high: base + 1 };
      return { low: Math.max(table.firstIndex, base + 1), high: table.lastIndex + 1 };
    }
    const before = this.segments.filter(({ id }) => id < header.segmentId);
    const low = Math.max(base, ...before.map(lastIndexOf)) + 1;
    // All of it was replaced: it says what comes before it, which must not be cut.
    if (source !== undefined) return { low, high: low };
    const behind = this.segments.filter(({ id }) => id > header.segmentId);
    const firsts = behind.filter(({ table }) => table.count > 0 && table.lastIndex >= low);
    const first = Math.min(this.#last.index + 1, ...firsts.map(({ table }) => table.firstIndex));
    return { low, high: Math.max(low, Math.min(first, follower.index + 1)) };
  }

  positionBefore(low: number): LogPosition {
    const index = low - 1;
    return { index, term: required(this.termOf(index), "what comes before is known") };
  }

  termOf(index: number): number | undefined {
    const { base } = this.state;
    if (index === base.index) return base.term;
    if (index < base.index) return undefined;
    return this.segments.findLast(({ table }) => table.has(index))?.table.termOf(index);
  }

  /**
   * The last entry before a lost segment is not the one that was committed, so the segment had
   * another in its place: it reaches further back. By one each time, as it holds no more than fits.
   *
   * @returns false if there is nothing that it could have replaced.
   */
  forgetBefore(plan: SegmentPlan): boolean {
    const { low } = this.rangeOf(plan);
    if (plan.source !== undefined || low - 1 <= this.state.base.index) return false;
    const before = this.segments.filter(({ id }) => id < plan.header.segmentId);
    for (const { table } of before) table.cutFrom(low - 1);
    return true;
  }

  /**
   * Whether what is found at an index is what the log held there. A lost segment behind it may have
   * replaced it, unless it was committed by then.
   */
  isFinal(index: number): boolean {
    const at = this.segments.findLast(({ table }) => table.has(index))?.id ?? 0;
    const lost = this.#slots.find(({ id, segment }) => segment === undefined && id > at);
    if (lost === undefined) return true;
    const before = this.#slots.filter(({ id }) => id <= lost.id);
    const commits = before.map(({ opened }) => opened?.first?.state.hardState.commitIndex ?? 0);
    return index <= Math.max(this.state.base.index, ...commits);
  }

  /**
   * Nothing is lacking in the place of a lost segment, so nobody is asked for anything; and yet it
   * may have replaced the end of what is before it. Not so if that is of the very term in which the
   * segment ended, or had been committed before.
   */
  isUnproven(plan: SegmentPlan): boolean {
    const { low, high } = this.rangeOf(plan);
    if (plan.source !== undefined || low < high) return false;
    return this.termOf(low - 1) !== plan.follower.term && !this.isFinal(low - 1);
  }

  /** A segment has been made anew. */
  onTaken({ header }: SegmentPlan, segment: Segment, last: LogPosition): void {
    const slot = this.#slots.find(({ id }) => id === header.segmentId);
    assert(slot !== undefined, "what was planned is a slot");
    assert(segment.table.count === 0 || segment.table.lastIndex === last.index, "it ends there");
    this.#init.files.push(segment.file);
    slot.segment = segment;
    slot.isSound = true;
  }

  /** What comes before a segment is there, or it is the segment that lacks it. */
  isWholeBefore(plan: SegmentPlan): boolean {
    return this.termOf(this.rangeOf(plan).low - 1) !== undefined;
  }

  /** From the base to the end, each entry is in some segment. */
  isWhole(): boolean {
    let next = this.state.base.index + 1;
    for (const { table } of this.segments) {
      if (table.count === 0 || table.lastIndex < next) continue;
      if (table.firstIndex > next) return false;
      next = table.lastIndex + 1;
    }
    return next > this.#last.index;
  }

  close(): void {
    for (const file of this.#init.files.splice(0)) file.close();
  }

  #openAll(): Slot[] {
    const { fileSystem, directory, open } = this.#init;
    const paths = (fileSystem.list(directory) ?? [])
      .filter((name) => segmentIdOf(name) !== undefined)
      .map((name) => ({ id: segmentIdOf(name) as number, path: join(directory, name) }));
    const slots = paths.map(({ id, path }): Slot => {
      const opened = soundOrNothing(() => openSegment(open(path)));
      const isIts = opened?.header.segmentId === id;
      return { id, path, opened: isIts ? opened : undefined, segment: undefined, isSound: false };
    });
    const salts = new Set(slots.map(({ opened }) => opened?.header.salt));
    salts.delete(undefined);
    if (salts.size > 1) throw this.#refused("its files are of more than one log");
    return slots;
  }

  /** The last segment has to be sound, and to be the last. */
  #scanActive(active: OpenedSegment, last: Slot): ActiveScan {
    const { segmentId } = active.header;
    const atEnd = "what was synced last is damaged, so it is not known where the log ended";
    const found = soundOrNothing(() => scanActive(active));
    if (found === undefined || last.id > segmentId + 1) throw this.#refused(atEnd);
    if (last.id === segmentId) {
      if (found.scan.hasFooter) throw this.#refused(atEnd);
      return found;
    }
    const { opened } = last;
    const isUnbegun = soundOrNothing(() => {
      if (opened === undefined) return undefined;
      const remains = findRemains(readAll(opened.file), opened.seed, SEGMENT_HEADER_BYTES);
      demandSynced(opened, SEGMENT_HEADER_BYTES, remains.syncedThrough);
      return true;
    });
    if (isUnbegun !== true) throw this.#refused(atEnd);
    return found;
  }

  /** What is left out of a file rests on what the end of the log says was trimmed or replaced. */
  #settle({ header, file }: OpenedSegment, bytes: Buffer, scan: SegmentScan): void {
    const writable = this.#init.fileSystem.open(file.path, "readWrite");
    try {
      settleTail({ header, file: writable }, bytes, scan);
    } finally {
      writable.close();
    }
  }

  /** Files that are gone have a place, too. */
  #fillGaps(found: readonly Slot[]): Slot[] {
    const firstId = found[0]?.id ?? this.#active.id;
    return Array.from({ length: this.#active.id - firstId }, (_, i) => {
      const id = firstId + i;
      return found.find((slot) => slot.id === id) ?? this.#lostSlot(id);
    });
  }

  #lostSlot(id: number): Slot {
    const path = join(this.#init.directory, segmentName(id));
    return { id, path, opened: undefined, segment: undefined, isSound: false };
  }

  #readTables(active: OpenedSegment): void {
    this.#slots.forEach((slot, i) => {
      const follower = this.#slots[i + 1]?.opened ?? active;
      const { opened } = slot;
      if (opened?.first !== undefined) {
        const sealed = soundOrNothing(() =>
          readSealedTable(opened, follower.first?.state.syncedThrough),
        );
        if (sealed === undefined) return;
        const { header, file } = opened;
        slot.segment = new Segment({ header, file, ...sealed, isSealed: true });
        slot.isSound = true;
      } else slot.segment = this.#mendable(slot);
    });
  }

  /** Its own header may be damaged: what it said can be told from the others. */
  #mendable({ id, path, opened }: Slot): Segment | undefined {
    const file = opened?.file ?? this.#init.files.find((each) => each.path === path);
    if (file === undefined) return undefined;
    const header = opened?.header ?? { ...this.#active.header, segmentId: id };
    const found = soundOrNothing(() => segmentBehind(header, file));
    const table = found === undefined ? undefined : readFooterTable(found);
    if (table === undefined) return undefined;
    return new Segment({ header, file, table, end: SEGMENT_HEADER_BYTES, isSealed: true });
  }

  /** What a later segment holds replaces what earlier ones do: as recovery has it. */
  #cut(active: OpenedSegment, scan: SegmentScan): void {
    const tables = [...this.#slots.map(({ segment }) => segment?.table), scan.table];
    [...this.#slots.map(({ opened }) => opened), active].forEach((opened, i) => {
      const table = tables[i];
      for (const earlier of tables.slice(0, i)) {
        if (opened?.first !== undefined) earlier?.cutFrom(opened.first.previous.index + 1);
        if (table !== undefined && table.count > 0) earlier?.cutFrom(table.firstIndex);
      }
    });
    if (scan.isReset) for (const table of tables.slice(0, -1)) table?.clear();
  }

  /** The first file may be gone: nothing before it says so, but what is lacking does. */
  #maybeAddFirst(): void {
    const { base } = this.state;
    const first = this.segments.find(({ table }) => table.count > 0);
    const isLacking = (first?.table.firstIndex ?? this.#last.index + 1) > base.index + 1;
    const hasPlace = this.#slots.some(
      ({ id, segment }) => segment === undefined && id < (first?.id ?? this.#active.id),
    );
    const id = (this.#slots[0]?.id ?? this.#active.id) - 1;
    if (isLacking && !hasPlace && id > 0) this.#slots.unshift(this.#lostSlot(id));
  }

  #plan(active: OpenedSegment): SegmentPlan[] {
    const { fileSystem, directory } = this.#init;
    const names = new Set(fileSystem.list(directory) ?? []);
    const plans: SegmentPlan[] = [];
    this.#slots.forEach((slot, i) => {
      if (slot.isSound) return;
      const behind = [...this.#slots.slice(i + 1).map(({ opened }) => opened), active];
      const { first } = behind.find((opened) => opened?.first !== undefined) ?? active;
      const { state, previous: follower } = required(first, "the active segment is begun");
      const header = slot.opened?.header ?? { ...this.#active.header, segmentId: slot.id };
      const plan = { file: slot.path, header, state, source: slot.segment, follower };
      const { low, high } = this.rangeOf(plan);
      // Of those that were trimmed some may be gone already, and nobody misses them.
      const isTrimmed = low === high && low === this.state.base.index + 1;
      if (names.has(segmentName(slot.id)) || !isTrimmed) plans.push(plan);
    });
    return plans;
  }

  /** The damage, with the reason why it is not repaired. */
  #refused(why: string): LogError {
    return LogError.extending(
      this.#init.damage,
      `It cannot be repaired from peers: ${why}. ` +
        "Keep a copy of the directory, and replace the node",
    );
  }
}

function lastIndexOf({ table }: Segment): number {
  return table.count === 0 ? 0 : table.lastIndex;
}

/** @returns `undefined` if it is damaged. */
function soundOrNothing<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof LogError && error.code === "LOG_CORRUPT") return undefined;
    throw error;
  }
}
