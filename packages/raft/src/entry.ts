/** Log entries: what Raft replicates (paper §5.3). */

import type { LogIndex, Term } from "./ids.ts";

/**
 * `normal` carries a command of the application, or nothing: a new leader's no-op, or the place of
 * a refused configuration change. `configuration` carries an encoded change of membership.
 */
export type EntryKind = "normal" | "configuration";

export interface Entry {
  readonly term: Term;
  readonly index: LogIndex;
  readonly kind: EntryKind;
  /** Owned by the log from the moment it is proposed: nobody writes to it again. */
  readonly data: Uint8Array;
  /** CRC-32 of `data`, where its maker knows it; carried along, never looked at. */
  readonly checksum?: number;
}

/** Where an entry stands; two logs that agree on one agree on everything before it (§5.3). */
export interface LogPosition {
  readonly term: Term;
  readonly index: LogIndex;
}

/** What an entry costs beside its data when limits in bytes are counted. */
const ENTRY_OVERHEAD_BYTES = 32;

export const NO_DATA: Uint8Array = new Uint8Array(0);

/** The bytes an entry counts for in the limits on messages and on apply batches. */
export function entryBytes(entry: Entry): number {
  return entry.data.byteLength + ENTRY_OVERHEAD_BYTES;
}

/** What entries count for in the limit on uncommitted bytes: nothing, if they hold no data. */
export function commandBytes(entries: readonly Entry[]): number {
  let total = 0;
  for (const entry of entries) if (entry.data.byteLength > 0) total += entryBytes(entry);
  return total;
}

/** The bytes of the data of entries, without overhead. */
export function payloadBytes(entries: readonly Entry[]): number {
  let total = 0;
  for (const entry of entries) total += entry.data.byteLength;
  return total;
}
