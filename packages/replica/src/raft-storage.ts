/** The log and the snapshots on the disk, as the consensus core reads them. */

import type { LogStore } from "@quorumlog/log";
import type {
  Configuration,
  Entry,
  InitialState,
  LogIndex,
  LogStorage,
  Snapshot,
  Term,
} from "@quorumlog/raft";
import { required } from "@quorumlog/std";
import { decodeConfiguration } from "./configuration-codec.ts";
import type { EntryMemory } from "./entry-memory.ts";
import { FOUNDING_INDEX } from "./founding.ts";
import type { LogCare } from "./log-care.ts";
import { encodeDescriptor } from "./snapshot-descriptor.ts";
import type { SnapshotStore } from "./snapshot-store.ts";

export interface RaftStorageInit {
  readonly log: LogStore;
  readonly snapshots: SnapshotStore;
  readonly care: Pick<LogCare, "isAwaited" | "onDamage">;
  /** As of the index that the state was restored to. */
  readonly configuration: Configuration;
  readonly memory: EntryMemory;
}

export class RaftStorage implements LogStorage {
  readonly #log: LogStore;
  readonly #snapshots: SnapshotStore;
  readonly #care: RaftStorageInit["care"];
  readonly #configuration: Configuration;
  readonly #memory: EntryMemory;

  constructor(init: RaftStorageInit) {
    this.#log = init.log;
    this.#snapshots = init.snapshots;
    this.#care = init.care;
    this.#configuration = init.configuration;
    this.#memory = init.memory;
  }

  initialState(): InitialState {
    return { hardState: this.#log.hardState(), configuration: this.#configuration };
  }

  firstIndex(): LogIndex {
    return this.#log.firstIndex();
  }

  lastIndex(): LogIndex {
    return this.#log.lastIndex();
  }

  term(index: LogIndex): Term | undefined {
    return this.#log.term(index);
  }

  entries(range: {
    low: LogIndex;
    high: LogIndex;
    bytesMax: number;
  }): readonly Entry[] | "unreadable" | undefined {
    if (this.#care.isAwaited(range.low)) return "unreadable";
    try {
      const entries = this.#log.entries(range);
      if (entries !== undefined) this.#memory.borrow(entries);
      return entries;
    } catch (error) {
      if (this.#care.onDamage(error)) return "unreadable";
      throw error;
    }
  }

  /**
   * The snapshot that the log begins behind, and no newer one: whoever installs it gets the whole
   * retained log after it. None while that one's file is damaged: of what lies between it and a
   * newer one, whoever installs the newer one would keep no copy.
   */
  snapshot(): Snapshot | undefined {
    const { index, term, configuration } = this.#log.base();
    const file = this.#snapshots.list().find((meta) => meta.index === index);
    // Only the state that a group begins with has no file.
    if (index === 0 || (file === undefined && index !== FOUNDING_INDEX)) return undefined;
    return {
      lastIncludedIndex: index,
      lastIncludedTerm: term,
      configuration: required(decodeConfiguration(configuration), "the base names its members"),
      data: encodeDescriptor(file?.bytes ?? 0),
    };
  }
}
