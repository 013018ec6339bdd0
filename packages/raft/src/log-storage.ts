/**
 * What the core reads back: the stable part of the log. Writing is the driver's, by `AppendWork`.
 *
 * Reads are synchronous, so that `step` is: an implementation keeps the recent tail in memory. A
 * log is compacted up to the core's `appliedIndex` at most, and only under a durable snapshot.
 * Entries that are `unreadable`, while they are being repaired, are asked for again: by a
 * leader with the next answer of the follower, and to be applied with the next tick. A read that
 * fails for any other reason throws, and the node stops.
 */

import type { Configuration } from "./configuration.ts";
import type { Entry } from "./entry.ts";
import type { LogIndex, Term } from "./ids.ts";
import type { HardState } from "./ready.ts";
import type { Snapshot } from "./snapshot.ts";

export interface InitialState {
  readonly hardState: HardState;
  /** The configuration as of the applied index given to the core. Empty on a node yet to join. */
  readonly configuration: Configuration;
}

export interface LogStorage {
  initialState(): InitialState;

  /** The first index that `entries` can return; `lastIndex() + 1` when there is none. */
  firstIndex(): LogIndex;

  /** The last stable index; that of the snapshot when there are no entries. */
  lastIndex(): LogIndex;

  /**
   * The term at `index`, for every index in `[firstIndex() - 1, lastIndex()]`.
   *
   * @returns `undefined` outside that range: a compacted term is unknown, never 0 (etcd 76f1249).
   */
  term(index: LogIndex): Term | undefined;

  /**
   * The entries `[low, high)`, which are all stored, up to `bytesMax` by `entryBytes` but at
   * least one. Owned by the storage: callers do not change them.
   *
   * @returns `undefined` if `low` has been compacted away.
   */
  entries(range: {
    low: LogIndex;
    high: LogIndex;
    bytesMax: number;
  }): readonly Entry[] | "unreadable" | undefined;

  /** The newest snapshot to send to a follower; `undefined` while none can be had. */
  snapshot(): Snapshot | undefined;
}
