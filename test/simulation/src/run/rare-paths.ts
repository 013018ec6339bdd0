/**
 * The rare paths that a thousand seeds must have taken. One that is missing means that the
 * simulator no longer tests what it says it tests, so the run fails.
 */

/** Marks in the core itself: `sometimes("...")`. */
const CORE_PATHS = [
  "a pre-candidate let another one go first",
  "append rejected",
  "apply paginated",
  "campaign refused for an unapplied configuration change",
  "clock jumped on a follower",
  "election after the leader's process was gone",
  "election lost",
  "follower caught up by snapshot",
  "follower log truncated",
  "follower lost what it acknowledged",
  "forwarded read expired",
  "heartbeat of a leader that does not know of a loss",
  "inflight window full",
  "leader lost its quorum",
  "leader removed",
  "parked proposal appended",
  "pre-vote lost",
  "proposal parked",
  "read served from the lease",
  "read served on a follower",
  "read waited for the first commit of a term",
  "snapshot installed",
  "snapshot only moved the commit index",
  "snapshot sent",
  "suspect cleared",
  "transfer aborted",
  "transfer told to campaign",
  "uncommitted limit reached",
] as const;

/** What only the world around the core can see. */
const WORLD_PATHS = [
  "all nodes crashed at once",
  "append done for entries rewritten meanwhile (ABA)",
  "append done of an earlier term",
  "bit rot",
  "configuration change appended",
  "configuration change committed under a partition",
  "configuration change refused",
  "corruption found at start",
  "crash lost what was acknowledged",
  "crash lost writes that were not synced",
  "crash while a snapshot is installed",
  "disk wiped",
  "joint configuration in force",
  "joint configuration left by a later leader",
  "leader in a majority partition",
  "leader in a minority partition",
  "member with a lost disk removed",
  "message dropped: not-a-member",
  "message dropped: overloaded",
  "message dropped: stale-incarnation",
  "node stopped: a read failed",
  "node stopped: a sync failed",
  "node stopped: died afterSync",
  "node stopped: died afterWrite",
  "node stopped: died beforeWrite",
  "parked proposal refused",
  "partial partition",
  "preVote ignored under a lease",
  "process paused",
  "quiet period",
  "read served by a node that does not lead",
  "recovered tail synced again",
  "returned under its old id after losing its disk",
  "snapshot ignored",
  "snapshot transfer failed",
  "snapshot withheld: inactive",
  "snapshot withheld: none",
  "transfer aborted: superseded",
  "transfer aborted: timeout",
  "transfer won by its transferee",
  "unstable entries truncated",
  "vote ignored under a lease",
  "vote of an earlier life kept",
  "wiped node became a voter again",
  "wiped node rejoined as a learner",
] as const;

export const RARE_PATHS: readonly string[] = [...CORE_PATHS, ...WORLD_PATHS];

/** From this many seeds on, a path that was never taken is a failure. */
export const RARE_PATH_SEED_COUNT = 200;

/** The listed paths that `marks` lacks. */
export function missingPaths(marks: Readonly<Record<string, number>>): string[] {
  return RARE_PATHS.filter((path) => (marks[path] ?? 0) === 0);
}
