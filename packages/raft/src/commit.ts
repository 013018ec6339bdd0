/** How a leader learns what is committed (paper §5.3, §5.4.2). */

import type { CoreState } from "./core-state.ts";
import { releaseEarlyReads } from "./reads.ts";
import type { Leader } from "./role.ts";

/** Commits what a quorum holds by now, if that is of this term. Returns whether anything is new. */
export function maybeCommit(core: CoreState, leader: Leader): boolean {
  const index = leader.tracker.committedIndex();
  if (!core.log.maybeCommit({ index, term: core.currentTerm })) return false;
  releaseEarlyReads(core, leader);
  return true;
}
