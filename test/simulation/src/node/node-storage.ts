/**
 * What a core reads back on a running node: the log as its process sees it, synced or not.
 *
 * Reads may fail: a bit has rotted, or the medium is gone. They throw then, and the node stops; a
 * read never answers with less than there is (openraft #1795).
 */

import {
  type AppendWork,
  type Configuration,
  type Entry,
  entryBytes,
  type HardState,
  type InitialState,
  type LogIndex,
  type LogStorage,
  type Snapshot,
  type Term,
} from "@quorumlog/raft";
import type { Disk } from "../engine/disk.ts";
import type { LogView } from "../engine/log-view.ts";

/** The disk cannot be read. Fatal to the node, and not a bug. */
export class StorageReadError extends Error {
  override readonly name = "StorageReadError";
}

export interface RecoveredState {
  readonly hardState: HardState;
  readonly log: LogView;
  /** As of the applied index. */
  readonly configuration: Configuration;
  /** What may be sent to followers. */
  readonly snapshot: Snapshot | undefined;
  /** The state machine, and how far it has come; `undefined` on a node yet to join. */
  readonly state: Snapshot | undefined;
}

export class NodeStorage implements LogStorage {
  readonly #disk: Disk;
  readonly #initial: InitialState;
  readonly log: LogView;
  #snapshot: Snapshot | undefined;
  /** The next snapshot asked for is not to be had, as while one is being written. */
  withholdsSnapshot = false;
  /** How many more reads succeed. */
  readsUntilFailure: number = Number.POSITIVE_INFINITY;

  constructor(disk: Disk, recovered: RecoveredState) {
    this.#disk = disk;
    this.log = recovered.log;
    this.#snapshot = recovered.snapshot;
    this.#initial = { hardState: recovered.hardState, configuration: recovered.configuration };
  }

  initialState(): InitialState {
    return this.#initial;
  }

  firstIndex(): LogIndex {
    return this.log.baseIndex + 1;
  }

  lastIndex(): LogIndex {
    return this.log.lastIndex;
  }

  term(index: LogIndex): Term | undefined {
    return this.log.term(index);
  }

  entries(range: {
    low: LogIndex;
    high: LogIndex;
    bytesMax: number;
  }): readonly Entry[] | undefined {
    const { low, high, bytesMax } = range;
    if (low <= this.log.baseIndex) return undefined;
    this.readsUntilFailure -= 1;
    if (this.readsUntilFailure < 0) throw new StorageReadError("the medium does not answer");
    let bytes = 0;
    let end = low;
    while (end < high) {
      const entry = this.log.entry(end);
      if (entry === undefined) throw new Error("the core reads past the end of its log");
      if (end === this.#disk.rottenIndex) throw new StorageReadError("the checksum does not match");
      bytes += entryBytes(entry);
      if (bytes > bytesMax && end > low) break;
      end += 1;
    }
    return this.log.slice(low, end);
  }

  snapshot(): Snapshot | undefined {
    return this.withholdsSnapshot ? undefined : this.#snapshot;
  }

  /** The newest snapshot, to be had or not. */
  get snapshotIndex(): LogIndex {
    return this.#snapshot?.lastIncludedIndex ?? 0;
  }

  /** Makes an append work visible. */
  apply(work: AppendWork): void {
    const { snapshot } = work;
    if (snapshot !== undefined) {
      this.log.reset({ index: snapshot.lastIncludedIndex, term: snapshot.lastIncludedTerm });
      this.#snapshot = snapshot;
    }
    for (const entry of work.entries) this.log.append(entry);
  }

  setSnapshot(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
  }
}
