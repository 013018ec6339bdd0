/**
 * `verify`: what the next start of the node would say, and what it would not read.
 *
 * Recovery gives the verdict on what it reads: headers, footers, the last segment. The scrub reads
 * the rest. Unsound bytes at or behind the last position that is known to be synced are torn: the
 * same rule as recovery's, see `recovery.ts`.
 */

import { join } from "node:path";
import type { FileSystem } from "../file-system.ts";
import { LogError } from "../log-error.ts";
import { isBefore, type StreamPosition } from "../log-mark.ts";
import { recoverLog, type RecoveredLog } from "../recovery.ts";
import { repairRefusal } from "../repair/log-survey.ts";
import type { Segment } from "../segment.ts";
import { segmentIdOf, segmentName } from "../segment-maker.ts";
import { readSegmentFile, segmentNamesIn } from "./segment-file.ts";
import { type EntryRange, type Finding, scrubSegment, type SegmentScrub } from "./segment-scrub.ts";

export interface JudgedFinding extends Omit<Finding, "kind"> {
  readonly kind: "torn" | "corrupt" | "note";
  /** Of `corrupt`: an entry that the log still holds is among them. */
  readonly isLost: boolean;
}

export interface Verification {
  readonly verdict: "sound" | "torn" | "corrupt";
  readonly segmentCount: number;
  readonly frameCount: number;
  readonly entryCount: number;
  readonly bytesRead: number;
  readonly findings: readonly JudgedFinding[];
  /** Why the log does not open. */
  readonly error: LogError | undefined;
  /** That, and why peers cannot repair it; `undefined`: they can, as far as this node knows. */
  readonly refusal: LogError | undefined;
}

export interface VerificationInit {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly onProgress: (progress: { readonly done: number; readonly of: number }) => void;
}

/** @throws LogError `LOG_MISSING` or `LOG_VERSION`: there is nothing to verify. */
export function verifyLog(init: VerificationInit): Verification {
  return new Verifier(init).run();
}

class Verifier {
  readonly #init: VerificationInit;
  readonly #scrubs: SegmentScrub[] = [];
  readonly #findings: Finding[] = [];
  #bytesRead = 0;
  #syncedThrough: StreamPosition = { segmentId: 0, offset: 0 };

  constructor(init: VerificationInit) {
    this.#init = init;
  }

  run(): Verification {
    const { fileSystem, directory, onProgress } = this.#init;
    const recovered = openOrError(fileSystem, directory);
    const names = this.#namesOf(recovered);
    names.forEach((name, done) => {
      onProgress({ done, of: names.length });
      this.#scrub(name);
    });
    onProgress({ done: names.length, of: names.length });
    this.#noteGaps(names.map((name) => segmentIdOf(name) as number));
    for (const [i, scrub] of this.#scrubs.entries()) {
      const follower = this.#scrubs[i + 1];
      if (follower?.beginning !== undefined) this.#demandSealed(scrub, follower);
    }
    const error = recovered instanceof LogError ? recovered : undefined;
    const log = recovered instanceof LogError ? undefined : recovered;
    const findings = this.#judge(log);
    const isCorrupt = error !== undefined || findings.some(({ kind }) => kind === "corrupt");
    const isTorn = (log?.tornBytes ?? 0) > 0 || findings.some(({ kind }) => kind === "torn");
    return {
      verdict: isCorrupt ? "corrupt" : isTorn ? "torn" : "sound",
      segmentCount: names.length,
      frameCount: this.#scrubs.reduce((sum, { frameCount }) => sum + frameCount, 0),
      entryCount: this.#scrubs.reduce((sum, { entryCount }) => sum + entryCount, 0),
      bytesRead: this.#bytesRead,
      findings,
      error,
      refusal: error === undefined ? undefined : repairRefusal(fileSystem, directory, error),
    };
  }

  /** What the log consists of; if that is unknown, all there is. */
  #namesOf(recovered: RecoveredLog | LogError): readonly string[] {
    const { fileSystem, directory } = this.#init;
    const names = segmentNamesIn(fileSystem, directory);
    if (recovered instanceof LogError) return names;
    const firstId = (recovered.segments[0] as Segment).id;
    return names.filter((name) => (segmentIdOf(name) as number) >= firstId);
  }

  /** Each file that is not there: which of them are missed the error says, of the first. */
  #noteGaps(ids: readonly number[]): void {
    const last = ids.at(-1) ?? 0;
    for (let segmentId = ids[0] ?? last; segmentId < last; segmentId++) {
      if (ids.includes(segmentId)) continue;
      const file = join(this.#init.directory, segmentName(segmentId));
      const message = "there is no such file: it was trimmed, or it is lost";
      const entries = undefined;
      this.#findings.push({ kind: "note", segmentId, file, offset: 0, bytes: 0, message, entries });
    }
  }

  #scrub(name: string): void {
    const { fileSystem, directory } = this.#init;
    const path = join(directory, name);
    const segmentId = segmentIdOf(name) as number;
    try {
      const file = readSegmentFile(fileSystem, directory, name);
      this.#bytesRead += file.bytes.length;
      const before = this.#scrubs.at(-1);
      const isNext = before?.segmentId === segmentId - 1;
      const scrub = scrubSegment(file, path, isNext ? before.last : undefined);
      this.#scrubs.push(scrub);
      this.#findings.push(...scrub.findings);
      this.#raise(scrub.syncedThrough);
      // A segment is begun when those before it are synced as a whole.
      if (scrub.beginning !== undefined) this.#raise({ segmentId, offset: 0 });
    } catch (error) {
      const isRead = error instanceof LogError || isSystemError(error);
      if (!isRead) throw error;
      const offset = error instanceof LogError ? (error.offset ?? 0) : 0;
      const { message } = error;
      const entries = undefined;
      // A header is synced before the segment has its name: it is never torn.
      const kind = "contradiction";
      this.#findings.push({ kind, segmentId, file: path, offset, bytes: 0, message, entries });
    }
  }

  #raise(position: StreamPosition): void {
    if (isBefore(this.#syncedThrough, position)) this.#syncedThrough = position;
  }

  /** With a segment begun behind it, it ends with a footer, and a trailer that finds it. */
  #demandSealed(scrub: SegmentScrub, follower: SegmentScrub): void {
    const { segmentId, file, end, hasFooter, footerOffset, last } = scrub;
    if (follower.segmentId !== segmentId + 1 || follower.beginning === undefined) return;
    const found = { segmentId, file, offset: end, bytes: 0, entries: undefined };
    if (hasFooter) {
      const message = "no trailer: a crash left the segment so; its frames are read instead";
      if (footerOffset === undefined) this.#findings.push({ ...found, kind: "note", message });
      return;
    }
    const { previous, syncedThrough } = follower.beginning;
    const stated = syncedThrough.segmentId === segmentId ? syncedThrough.offset : end;
    const expected = footerOffset ?? stated;
    const isLost = last !== undefined && previous.index > last.index;
    const entries = isLost ? { first: last.index + 1, last: previous.index } : undefined;
    const bytes = Math.max(expected - end, 0);
    const message = isLost
      ? "no frame can be read from here on"
      : "the footer is damaged, which repeats what the frames say";
    this.#findings.push({ ...found, kind: "damage", bytes, entries, message });
  }

  #judge(log: RecoveredLog | undefined): readonly JudgedFinding[] {
    const judged: JudgedFinding[] = [];
    for (const finding of this.#findings.toSorted(inOrder)) {
      const { kind, segmentId, offset } = finding;
      const isUnsynced = !isBefore({ segmentId, offset }, this.#syncedThrough);
      const before = judged.at(-1);
      // Behind what was torn, frames that reached the disk need not fit together.
      if (before?.kind === "torn" && before.segmentId === segmentId && offset > 0) continue;
      if (kind === "note") judged.push({ ...finding, kind, isLost: false });
      else if (kind === "damage" && isUnsynced) judged.push(this.#tornFrom(finding));
      else {
        const entries = log === undefined ? finding.entries : stillHeld(log, finding);
        judged.push({ ...finding, kind: "corrupt", entries, isLost: entries !== undefined });
      }
    }
    return judged;
  }

  /** What a crash tore is one stretch, from the first unsound byte to the end of the last frame. */
  #tornFrom({ file, segmentId, offset }: Finding): JudgedFinding {
    const end = this.#scrubs.find((scrub) => scrub.segmentId === segmentId)?.end ?? offset;
    const bytes = end - offset;
    const message = "what a crash cut off as it was written";
    const entries = undefined;
    return { kind: "torn", file, segmentId, offset, bytes, message, entries, isLost: false };
  }
}

/** The entries of a stretch of bytes that nothing has replaced or trimmed since. */
function stillHeld(log: RecoveredLog, finding: Finding): EntryRange | undefined {
  const { segmentId, offset, bytes, kind } = finding;
  if (kind === "contradiction") return finding.entries;
  const segment = log.segments.find(({ id }) => id === segmentId);
  if (segment === undefined || segment.table.count === 0) return undefined;
  const { table } = segment;
  let first: number | undefined;
  let last = 0;
  const from = Math.max(table.firstIndex, log.state.base.index + 1);
  for (let index = from; index <= table.lastIndex; index++) {
    const at = table.offsetOf(index);
    // Its frame begins before what fills it up, which belongs to no entry.
    if (at < offset || at >= offset + bytes) continue;
    first ??= index;
    last = index;
  }
  return first === undefined ? undefined : { first, last };
}

/** Errors about what is in the files are a verdict; that there is no log to judge is not. */
function openOrError(fileSystem: FileSystem, directory: string): RecoveredLog | LogError {
  try {
    const log = recoverLog(fileSystem, directory, "read");
    for (const { file } of [...log.segments, ...(log.next === undefined ? [] : [log.next])])
      file.close();
    return log;
  } catch (error) {
    if (error instanceof LogError) {
      if (error.code === "LOG_MISSING" || error.code === "LOG_VERSION") throw error;
      return error;
    }
    if (!isSystemError(error)) throw error;
    return new LogError("LOG_FAILED", error.message, { cause: error });
  }
}

export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}

function inOrder(left: Finding, right: Finding): number {
  return left.segmentId - right.segmentId || left.offset - right.offset;
}
