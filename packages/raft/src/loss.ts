/**
 * What the crash of a host may have cost a node: entries that it had acknowledged before they were
 * synced. A driver that syncs first knows of no such loss.
 *
 * A vote, and a count towards a majority, rest on one promise: whoever gives it holds what it has
 * acknowledged. A node that may not is *suspect*. It grants no vote, does not campaign, is given no
 * leadership and counts for no commit, until a leader has seen it catch up.
 *
 *     follower, suspect        leader
 *       reply {2, suspect} ──>   higher count: the match is 0 again, and the end of the log noted
 *       <── entries ──────────
 *       reply {2, suspect} ──>   the match has reached what was noted
 *       <──────── heartbeat {2, cleared}
 *       reply {2, cleared} ──>   counts again
 *
 * Whatever the follower acknowledged and may be committed is in this leader's log: what others
 * committed, as in every elected leader's, which needed no vote of this follower since; and what
 * this leader counted, as it had sent that itself. So the end of its log is far enough. The count
 * tells answers of a former life of the log from those of this one, however late they arrive.
 */
export interface Loss {
  /** How often it may have happened, in this life of the disk. At least 1. */
  readonly count: number;
  /** Whether the node has yet to catch up since the last time. */
  readonly isSuspect: boolean;
}
