/** What a disk is like from now on, whatever is asked of it. */

export interface DiskCondition {
  /** No file can be made or grow, and no room is told of; what has its room is written. */
  readonly isFull: boolean;
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

export const NO_TROUBLE: DiskCondition = { isFull: false, failsSyncs: false, syncDelayMs: 0 };
