/** What a disk is like from now on, whatever is asked of it. */

export interface DiskCondition {
  /**
   * Unless `no`, no file can be made or grow; what has its room is written. `told`: there is said
   * to be no room. `untold`: there is said to be some, as by a quota.
   */
  readonly full: "no" | "told" | "untold";
  readonly failsSyncs: boolean;
  /** Added to each sync of a file that is not waited for on the spot; in milliseconds. */
  readonly syncDelayMs: number;
}

export interface TroubleCounts {
  delayedSyncs: number;
  failedSyncs: number;
  /** Writes and new files that there was no room for. */
  refusedForSpace: number;
}

export const NO_TROUBLE: DiskCondition = { full: "no", failsSyncs: false, syncDelayMs: 0 };
