/**
 * Paths that are rare and matter. A batch of a thousand seeds that never took one of them fails: a
 * path that nobody tests is to be noticed, not trusted.
 */
export const RARE_PATHS: readonly string[] = [
  // In the core, by `sometimes`.
  "append rejected",
  "apply paginated",
  "campaign refused for an unapplied configuration change",
  "clock jumped on a follower",
  "election after the leader's process was gone",
  "follower caught up by snapshot",
  "follower log truncated",
  "forwarded read expired",
  "inflight window full",
  "leader lost its quorum",
  "leader removed",
  "parked proposal appended",
  "proposal parked",
  "read served from the lease",
  "read served on a follower",
  "read waited for the first commit of a term",
  "snapshot installed",
  "snapshot only moved the commit index",
  "snapshot sent",
  "transfer aborted",
  "transfer told to campaign",
  "uncommitted limit reached",
  // In the events of cores.
  "append done for entries rewritten meanwhile (ABA)",
  "append done of an earlier term",
  "configuration change committed under a partition",
  "joint configuration in force",
  "joint configuration left by a later leader",
  "message dropped: stale-incarnation",
  "message dropped: not-a-member",
  "transfer won by its transferee",
  "preVote ignored under a lease",
  "vote ignored under a lease",
  "vote of an earlier life kept",
];

/** How many seeds have to take every path, at least. */
export const RARE_PATH_SEED_COUNT = 1_000;
