/**
 * What a leader does without being asked: it has the state kept now and then, and the log trimmed
 * to what is to be retained. Both go through the log, so that all replicas do the same.
 */

import type { ProgressView } from "@quorumlog/raft";
import type { CommandDraft } from "./container.ts";
import { COMMAND_HEADER_BYTES, COMMAND_KIND } from "./container.ts";
import type { GroupState, Marker } from "./group-state.ts";

export interface Retention {
  /** Keep at least so much of the log, in bytes, and not much more; `undefined`: all of it. */
  readonly bytes: number | undefined;
  /** Keep at least what is younger than this, in milliseconds; `undefined`: whatever its age. */
  readonly milliseconds: number | undefined;
}

/** `undefined` keeps everything; `compact`, only what the newest snapshot does not cover. */
export type RetentionPolicy = Retention | "compact" | undefined;

export const MARKER_DRAFT: CommandDraft = draftOf(COMMAND_KIND.snapshotMarker, 0);

export function trimDraft(offset: number): CommandDraft {
  return draftOf(COMMAND_KIND.trim, offset);
}

/** Whether the state should be kept again. */
export function isMarkerDue(state: GroupState, everyBytes: number): boolean {
  return state.logBytes - (state.markers.at(-1)?.logBytes ?? 0) >= everyBytes;
}

/**
 * Whether a member is being given the snapshot that the log begins behind: a trim would take it
 * away, and the entries that it needs next. Ends with the transfer, which never idles for long.
 */
export function isSnapshotUnderWay(progress: readonly ProgressView[]): boolean {
  return progress.some(({ state }) => state === "snapshot");
}

/** Up to which offset the log should be trimmed; `undefined` if it should not be. */
export function trimTarget(
  state: GroupState,
  policy: RetentionPolicy,
  now: number,
): number | undefined {
  const target = marker(state, policy, now);
  if (target === undefined || target.index <= state.startIndex) return undefined;
  return target.offset;
}

function marker(state: GroupState, policy: RetentionPolicy, now: number): Marker | undefined {
  const { markers, logBytes } = state;
  if (policy === undefined) return undefined;
  // The one before the newest: who is a little behind needs no snapshot yet.
  if (policy === "compact") return markers.at(-2);
  const { bytes, milliseconds } = policy;
  return markers.findLast((candidate) => {
    const isTooMuch = bytes !== undefined && logBytes - candidate.logBytes >= bytes;
    const isTooOld = milliseconds !== undefined && now - candidate.time >= milliseconds;
    return isTooMuch || isTooOld;
  });
}

function draftOf(kind: number, offset: number): CommandDraft {
  return { kind, sessionId: 0, sequence: 0, offset, records: [], bytes: COMMAND_HEADER_BYTES };
}
