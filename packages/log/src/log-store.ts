/** What a replica needs of the disk: one ordered stream of promises and entries. */

import type { HardState, LogBase, LogEntry, LogPosition } from "./log-entry.ts";

export interface AppendBatch {
  /**
   * What is promised from now on; `undefined` if nothing changed. Term and vote go to the disk
   * before the entries, the commit index behind them.
   */
  readonly hardState: HardState | undefined;
  /** A snapshot that replaces all entries, before `entries` are appended to it. */
  readonly reset: LogBase | undefined;
  /** Replace everything from the first one's index on, which is at most one past the last. */
  readonly entries: readonly LogEntry[];
}

export interface LogStatus {
  readonly firstIndex: number;
  readonly last: LogPosition;
  /** The last entry that is on the disk. */
  readonly syncedIndex: number;
  readonly hardState: HardState;
  readonly base: LogBase;
  /** Of entries that were appended and are not durable yet: what to push back on. */
  readonly pendingBytes: number;
  readonly segmentCount: number;
  /** Of the files of the log, with what is prepared. */
  readonly bytes: number;
}

/** Entries `[low, high)`, as many as have this many bytes together, and at least one. */
export interface EntryRange {
  readonly low: number;
  readonly high: number;
  readonly bytesMax: number;
}

export interface LogStore {
  /** What was recovered; later, what was appended last, synced or not. */
  hardState(): HardState;

  base(): LogBase;

  /** The first index that `entries` can return; `lastIndex() + 1` when there is none. */
  firstIndex(): number;

  lastIndex(): number;

  /** The term at each index in `[firstIndex() - 1, lastIndex()]`, else `undefined`. */
  term(index: number): number | undefined;

  /**
   * The entries `[low, high)`, which are all there, up to `bytesMax` by `entryBytes` but at least
   * one; fewer, too, where a segment ends: ask again. Their data is the log's: callers do not write
   * to it, and hold it (`holdBytes`) if they read it after the next call to the log.
   *
   * @returns `undefined` if `low` has been trimmed away.
   * @throws LogError `LOG_CORRUPT`: these entries are damaged, others may be sound. `LOG_FAILED`:
   *   the log has stopped. `LOG_CLOSED`
   */
  entries(range: EntryRange): readonly LogEntry[] | undefined;

  /**
   * Bytes `[start, end)` of the data of an entry that was read before, not verified: the caller
   * knows what has to be there.
   *
   * @returns the caller's own; `undefined` if the entry was trimmed away; fewer where it ends.
   * @throws LogError as `entries` does, `LOG_CORRUPT` if the file is cut short
   */
  part(index: number, start: number, end: number): Uint8Array | undefined;

  /**
   * Appends to the stream. Visible to reads at once.
   *
   * @param batch - Entries and their data belong to the log from here on. What is of a slab stays
   *   held by the caller until `onDurable`.
   * @param onDurable - Called once the batch and everything before it is on the disk, in the order
   *   of the calls; never after a failure. In flush mode `async`, a batch of entries alone has only
   *   reached the kernel by then, and outlives the process but not the machine: `syncedIndex`, in
   *   the status, says what is on the disk. A batch that moves the commit index alone waits for no
   *   disk: if nothing is under way, it is answered before this returns. May append; if the log may
   *   be closing, ask `isOpen()` first.
   * @throws LogError `LOG_TOO_LARGE` before anything is appended; `LOG_CLOSED`
   */
  append(batch: AppendBatch, onDurable: () => void): void;

  /**
   * Forgets the entries up to `base`, which has to be covered by a durable snapshot, and frees
   * whole segments.
   *
   * @param base - The entry at its index is stored, and of its term.
   * @param onDurable - Called once it is on the disk that the log begins there.
   */
  trim(base: LogBase, onDurable: () => void): void;

  /** Notes what is committed and synced by now, if that is news. For when the log is idle. */
  mark(): void;

  /** Whether anything can be appended: it is neither closing nor closed, and has not failed. */
  isOpen(): boolean;

  status(): LogStatus;

  /** As in `status`, which costs more. */
  pendingBytes(): number;

  /** Writes what is pending and a mark, and lets go of the files. Idempotent. */
  close(onClosed: () => void): void;
}
