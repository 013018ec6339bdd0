/**
 * What a leader does without being asked: it has the state kept now and then, and the log trimmed
 * to what is to be retained. Both go through the log, so that all replicas do the same.
 */

import type { CommandDraft } from "./container.ts";
import { COMMAND_HEADER_BYTES, COMMAND_KIND } from "./container.ts";
import type { GroupState, Marker } from "./group-state.ts";

/** What is beyond either limit is forgotten, a stretch between two markers at a time. */
export interface Retention {
  /** Of the log; `undefined`: no limit. */
  readonly bytes: number | undefined;
  /** The age of a stretch, by the log's time; `undefined`: no limit. */
  readonly milliseconds: number | undefined;
  /** Of the disk, used by whatever it is; `undefined`: no limit. */
  readonly diskPercent?: number | undefined;
}

/** `undefined` keeps everything; `compact`, only what the newest snapshot does not cover. */
export type RetentionPolicy = Retention | "compact" | undefined;

/** How finely a log is trimmed by age. */
const MARKERS_PER_AGE = 8;
/**
 * A disk that is too full costs no log the newest of its content, of so many bytes or this part of
 * the disk: others may have filled it.
 */
const CROWDED_KEPT_BYTES = 1024 * 1024 * 1024;
const CROWDED_KEPT_SHARE = 0.05;

export const MARKER_DRAFT: CommandDraft = draftOf(COMMAND_KIND.snapshotMarker, 0);

export function trimDraft(offset: number): CommandDraft {
  return draftOf(COMMAND_KIND.trim, offset);
}

/** Whether the state should be kept again: after so many bytes, or for an age to trim by. */
export function isMarkerDue(
  state: GroupState,
  everyBytes: number,
  age: { readonly policy: RetentionPolicy; readonly now: number },
): boolean {
  const last = state.markers.at(-1);
  const bytes = state.logBytes - (last?.logBytes ?? 0);
  if (bytes >= everyBytes) return true;
  const { policy, now } = age;
  const milliseconds = typeof policy === "object" ? policy.milliseconds : undefined;
  if (milliseconds === undefined || state.nextOffset === (last?.offset ?? 0)) return false;
  // A log that grows slowly has few markers by its bytes, and could not be trimmed by age.
  return now - (last?.time ?? 0) >= milliseconds / MARKERS_PER_AGE;
}

/**
 * Up to which offset the log should be trimmed; `undefined` if it should not be.
 *
 * @param heldIndex - How far every member is that is there: what it needs next stays.
 */
export function trimTarget(
  state: GroupState,
  policy: RetentionPolicy,
  limits: { readonly now: number; readonly heldIndex: number },
): number | undefined {
  const candidates = state.markers.filter(({ index }) => index <= limits.heldIndex);
  const target = newestToForget({ ...limits, state, candidates }, policy);
  if (target === undefined || target.index <= state.startIndex) return undefined;
  return target.offset;
}

/** How full a disk is, in bytes. */
export interface Crowd {
  /** Beyond what the retention allows to be used. */
  readonly excessBytes: number;
  /** Of the disk. */
  readonly totalBytes: number;
}

/** What a policy says is too much on a disk; 0 if it is not. */
export function crowdOf(
  policy: RetentionPolicy,
  { freeBytes, totalBytes }: { readonly freeBytes: number; readonly totalBytes: number },
): Crowd {
  const percent = typeof policy === "object" ? policy.diskPercent : undefined;
  if (percent === undefined || !Number.isFinite(totalBytes)) return { excessBytes: 0, totalBytes };
  const excessBytes = Math.max(0, (totalBytes * (100 - percent)) / 100 - freeBytes);
  return { excessBytes, totalBytes };
}

/**
 * Up to which offset the log should be trimmed for the sake of a disk, whatever its age: by as much
 * as is too much, and by at least one stretch.
 *
 * @param heldIndex - As in {@link trimTarget}.
 */
export function crowdedTarget(
  state: GroupState,
  { excessBytes, totalBytes }: Crowd,
  heldIndex: number,
): number | undefined {
  const keptBytes = Math.min(CROWDED_KEPT_BYTES, totalBytes * CROWDED_KEPT_SHARE);
  const start = state.markers.find(({ index }) => index === state.startIndex)?.logBytes ?? 0;
  const candidates = state.markers.filter(({ index, logBytes }) => {
    if (index <= state.startIndex || index > heldIndex) return false;
    return state.logBytes - logBytes >= keptBytes;
  });
  const enough = candidates.find(({ logBytes }) => logBytes - start >= excessBytes);
  return (enough ?? candidates.at(-1))?.offset;
}

function newestToForget(
  view: {
    readonly now: number;
    readonly state: GroupState;
    readonly candidates: readonly Marker[];
  },
  policy: RetentionPolicy,
): Marker | undefined {
  const { now, state, candidates } = view;
  if (policy === undefined) return undefined;
  // The one before the newest: who is a little behind needs no snapshot yet.
  if (policy === "compact") return candidates.findLast((marker) => marker !== state.markers.at(-1));
  const { bytes, milliseconds } = policy;
  return candidates.findLast((marker) => {
    const isTooMuch = bytes !== undefined && state.logBytes - marker.logBytes >= bytes;
    const isTooOld = milliseconds !== undefined && now - marker.time >= milliseconds;
    return isTooMuch || isTooOld;
  });
}

function draftOf(kind: number, offset: number): CommandDraft {
  return { kind, sessionId: 0, sequence: 0, offset, records: [], bytes: COMMAND_HEADER_BYTES };
}
