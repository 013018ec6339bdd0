/** What a batch of seeds has to have seen, or it proves less than it seems to. */

/** A batch of so many seeds that misses one fails. */
export const RARE_PATH_SEED_COUNT = 200;

const RARE_PATHS: readonly string[] = [
  // Crashes and disks.
  "power loss",
  "process ended",
  "all nodes ended at once",
  "torn tail",
  "power lost with entries unsynced",
  "suspect",
  "suspicionCleared",
  "mark: suspect cleared",
  "mark: follower lost what it acknowledged",
  "mark: heartbeat of a leader that does not know of a loss",
  "disk: failedSync",
  "disk: failedWrite",
  "disk: shortWrite",
  "disk: full",
  "disk: stop",
  "failed with its disk",
  "damage found at the start",
  "damage found as it was read",
  "rot in a stopped node",
  "rot under a node that runs",
  "repaired at the start",
  "repaired as it ran",
  // Snapshots, trims, members.
  "snapshot installed",
  "snapshot resumed",
  "started from an older state",
  "ended as a snapshot comes or goes",
  "trim done",
  "follower beyond retention",
  "replaced node is a voter again",
  "a new disk holds everything",
  "disk replaced",
  "transfer done",
  "closed after handing over",
  // Calls.
  "container of several calls",
  "mark: memory used again",
  "mark: record read by itself",
  "duplicate answered",
  "mismatch",
  "expired",
  "gap",
  "too-old",
  "unknown, then found",
  "unknown, and never found",
  "repeated before an answer",
  "LEADERSHIP_LOST not-applied",
  "LEADERSHIP_LOST unknown",
  "OVERLOADED not-applied",
  "TIMEOUT not-applied",
  "TIMEOUT unknown",
  "ABORTED not-applied",
  "ABORTED unknown",
  "CLOSED not-applied",
  "CLOSED unknown",
  "FAILED unknown",
  "TRIMMED",
  "barrier",
  "mark: read served from the lease",
];

export function missingPaths(counts: ReadonlyMap<string, number>): string[] {
  return RARE_PATHS.filter((name) => !counts.has(name));
}
