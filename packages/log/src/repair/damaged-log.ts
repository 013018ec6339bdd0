/**
 * A log that does not open because segments before its last one are damaged or gone: what of it
 * is sound, what is lacking, and how to make it what it was.
 *
 *     survey ──> segments to make anew ──> refill one, take it, sync its name ──> the next
 *
 * The last segment that is begun has to be sound: it says what was promised last, and where the
 * log ends. All else is known twice, or can be had from others: a sealed segment's table is in its
 * footer, its end in the first frame of the next one, and its committed entries are on the peers.
 * As each segment is taken on its own, a crash leaves a log with fewer damages, or the same ones.
 */

import { assert, InvariantViolation, sometimes } from "@quorumlog/std";
import { claimDirectory } from "../create-log.ts";
import type { DirectoryLock, FileSystem } from "../file-system.ts";
import type { LogBase, LogEntry } from "../log-entry.ts";
import { LogError, translated } from "../log-error.ts";
import type { EntryRange } from "../log-store.ts";
import { recoverLog } from "../recovery.ts";
import { type LogSurvey, type SegmentPlan, surveyLog } from "./log-survey.ts";
import {
  type FetchEntries,
  PrecededOtherwise,
  readOrDamage,
  type Refilled,
  type SegmentRepaired,
  SegmentRefill,
} from "./segment-refill.ts";

export interface RepairCalls {
  readonly fetch: FetchEntries;
  readonly onRepaired: (repaired: SegmentRepaired) => void;
  /** Called later, once; the log can be opened then. */
  readonly onDone: (error: LogError | undefined) => void;
}

export class DamagedLog {
  /** Why it does not open; names the first damage. */
  readonly error: LogError;
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #lock: DirectoryLock;
  readonly #survey: LogSurvey;
  #refill: SegmentRefill | undefined;
  #isClosed = false;
  #isReleased = false;

  /**
   * Looks at a log, and holds on to it if it is damaged and can be repaired.
   *
   * @returns `undefined` if it is sound: it can be opened.
   * @throws LogError as opening it does; for damage that cannot be repaired it says why not.
   */
  static find(fileSystem: FileSystem, directory: string): DamagedLog | undefined {
    return translated("the log cannot be read", directory, () => {
      if (fileSystem.list(directory) === undefined)
        throw new LogError("LOG_MISSING", "there is no such directory", { file: directory });
      const lock = claimDirectory(fileSystem, directory);
      let damaged: DamagedLog | undefined;
      try {
        const error = damageOf(fileSystem, directory);
        if (error !== undefined) damaged = new DamagedLog(fileSystem, directory, { lock, error });
      } finally {
        if (damaged === undefined) lock.release();
      }
      return damaged;
    });
  }

  private constructor(
    fileSystem: FileSystem,
    directory: string,
    found: { readonly lock: DirectoryLock; readonly error: LogError },
  ) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#lock = found.lock;
    this.error = found.error;
    const access = "readWrite";
    this.#survey = surveyLog(fileSystem, directory, { damage: found.error, access });
  }

  base(): LogBase {
    return this.#survey.state.base;
  }

  /** As far as this node knew when it stopped. */
  commitIndex(): number {
    const { base, hardState } = this.#survey.state;
    return Math.max(hardState.commitIndex, base.index);
  }

  /** Files that are to be made anew. */
  files(): readonly string[] {
    return this.#survey.plans.map(({ file }) => file);
  }

  /**
   * What is sound and readable of `[low, high)`, from `low` on: for others, whose damage is
   * elsewhere.
   *
   * @returns `undefined` if `low` is damaged or gone.
   * @throws LogError `LOG_FAILED`
   */
  entries(range: EntryRange): readonly LogEntry[] | undefined {
    const { low, high, bytesMax } = range;
    assert(!this.#isClosed, "a log that was let go of is not read");
    const segment = this.#survey.segments.findLast(({ table }) => table.has(low));
    if (segment === undefined) return undefined;
    const end = Math.min(high, segment.table.lastIndex + 1);
    return readOrDamage(segment, { low, high: end }, bytesMax);
  }

  /** The term at an index, where that is known; of the base, too. */
  term(index: number): number | undefined {
    return this.#survey.termOf(index);
  }

  /** Whether an entry that is here, and committed, is surely the one that was committed. */
  isFinal(index: number): boolean {
    return this.#survey.isFinal(index);
  }

  repair(calls: RepairCalls): void {
    this.#repairFrom(0, calls);
  }

  /** Lets go of the log. A repair ends with an error, later. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#refill?.stop();
    // What is under way ends first: it still reads and writes.
    if (this.#refill === undefined) this.#release();
  }

  #repairFrom(i: number, calls: RepairCalls): void {
    const plan = this.#survey.plans[i];
    const isBroken = plan !== undefined && !this.#survey.isWholeBefore(plan);
    if (plan === undefined || isBroken || this.#isClosed) {
      calls.onDone(this.#isClosed ? closed() : this.#lacks());
      return;
    }
    if (this.#survey.isUnproven(plan) && this.#survey.forgetBefore(plan))
      sometimes("lost segment may have replaced what seems whole");
    const onRefilled = (result: Refilled | Error): void => {
      this.#refill = undefined;
      if (result instanceof PrecededOtherwise && this.#survey.forgetBefore(plan)) {
        sometimes("lost segment had replaced the end of the one before");
        this.#repairFrom(i, calls);
        return;
      }
      const taken = result instanceof Error ? result : this.#take(plan, result);
      if (taken instanceof Error) {
        if (this.#isClosed) this.#release();
        calls.onDone(asLogError(taken, plan.file));
        return;
      }
      calls.onRepaired(taken);
      if (this.#isClosed) this.#release();
      this.#repairFrom(i + 1, calls);
    };
    try {
      this.#refill = new SegmentRefill(this.#initOf(plan, calls.fetch), onRefilled);
      this.#refill.start();
    } catch (error) {
      this.#refill = undefined;
      calls.onDone(asLogError(error as Error, plan.file));
    }
  }

  #initOf(plan: SegmentPlan, fetch: FetchEntries): ConstructorParameters<typeof SegmentRefill>[0] {
    const { header, state, source, follower } = plan;
    const { low, high } = this.#survey.rangeOf(plan);
    const previous = this.#survey.positionBefore(low);
    const place = { fileSystem: this.#fileSystem, directory: this.#directory };
    return { ...place, header, state, previous, source, low, high, follower, fetch };
  }

  #take(plan: SegmentPlan, refilled: Refilled): SegmentRepaired | Error {
    const { rewrite, last, fetchedCount } = refilled;
    try {
      const segment = rewrite.take();
      this.#survey.onTaken(plan, segment, last);
      // In the foreground, as nothing else is done here: a name is safe before the next one is.
      this.#fileSystem.syncDirectory(this.#directory);
      sometimes("damaged segment made anew at the start");
      return { file: segment.file.path, fetchedCount };
    } catch (error) {
      return error as Error;
    }
  }

  /** Whatever did not fit into the segments that are there. */
  #lacks(): LogError | undefined {
    if (this.#survey.isWhole()) return undefined;
    const why = "more segments are gone than those that are there tell";
    return LogError.extending(this.error, `It was not repaired: ${why}; replace the node`);
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#survey.close();
    this.#lock.release();
  }
}

/** @throws LogError for anything but damage. */
function damageOf(fileSystem: FileSystem, directory: string): LogError | undefined {
  try {
    const log = recoverLog(fileSystem, directory, "read");
    for (const { file } of [...log.segments, ...(log.next === undefined ? [] : [log.next])])
      file.close();
    return undefined;
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    if (error.code !== "LOG_CORRUPT" && error.code !== "LOG_SEGMENT_MISSING") throw error;
    return error;
  }
}

function asLogError(error: Error, file: string): LogError {
  if (error instanceof InvariantViolation) throw error;
  if (error instanceof LogError) return error;
  return new LogError("LOG_FAILED", "a segment cannot be made anew", { file, cause: error });
}

function closed(): LogError {
  return new LogError("LOG_CLOSED", "the repair was called off");
}
