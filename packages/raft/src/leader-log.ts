/** How a leader's own log grows. */

import { sometimes } from "@quorumlog/std";
import type { CoreState } from "./core-state.ts";
import { commandBytes, type Entry, type EntryKind } from "./entry.ts";
import type { LogIndex } from "./ids.ts";
import type { Leader } from "./role.ts";

/** An entry before the leader gives it a position. */
export interface EntryDraft {
  readonly kind: EntryKind;
  readonly data: Uint8Array;
  /** As {@link Entry.checksum}. */
  readonly checksum?: number | undefined;
}

/**
 * Appends entries of the leader's term, unless they would pass the limit on uncommitted bytes.
 *
 * Entries without data always fit: neither a new leader's no-op nor the way out of a joint
 * configuration may fail. So does anything while nothing is uncommitted, however large.
 *
 * @returns the first new index, or `undefined` if they do not fit.
 */
export function appendToLog(
  core: CoreState,
  leader: Leader,
  drafts: readonly EntryDraft[],
): LogIndex | undefined {
  const firstIndex = core.log.lastIndex() + 1;
  const entries: Entry[] = [];
  const term = core.currentTerm;
  for (const { kind, data, checksum } of drafts) {
    const index = firstIndex + entries.length;
    if (checksum === undefined) entries.push({ term, index, kind, data });
    else entries.push({ term, index, kind, data, checksum });
  }
  const bytes = commandBytes(entries);
  const total = leader.uncommittedBytes + bytes;
  if (leader.uncommittedBytes > 0 && bytes > 0 && total > core.options.uncommittedBytesMax) {
    sometimes("uncommitted limit reached");
    return undefined;
  }
  leader.uncommittedBytes = total;
  core.log.append(entries);
  core.emit({ type: "entriesProposed", firstIndex, count: entries.length });
  // A leader acknowledges to itself what its own disk holds, like any other (thesis §10.2.1): it
  // is counted up to its synced index only.
  core.sendAfterAppend({
    type: "AppendEntriesReply",
    from: core.id,
    to: core.id,
    fromIncarnation: core.incarnation,
    toIncarnation: core.incarnation,
    term: core.currentTerm,
    rejected: false,
    index: firstIndex + entries.length - 1,
    hintIndex: 0,
    hintTerm: 0,
  });
  return firstIndex;
}
