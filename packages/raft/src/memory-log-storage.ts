/**
 * A log storage in memory: for tests, examples, and groups that may forget everything.
 *
 * The driver calls the writing methods as `AppendWork` asks; nothing here survives the process.
 */

import { assert } from "@quorumlog/std";
import { type Configuration, EMPTY_CONFIGURATION } from "./configuration.ts";
import { type Entry, entryBytes } from "./entry.ts";
import type { LogIndex, Term } from "./ids.ts";
import type { InitialState, LogStorage } from "./log-storage.ts";
import type { HardState } from "./ready.ts";
import type { Snapshot } from "./snapshot.ts";

export class MemoryLogStorage implements LogStorage {
  #hardState: HardState = { currentTerm: 0, votedFor: undefined, commitIndex: 0 };
  #configuration: Configuration = EMPTY_CONFIGURATION;
  #snapshot: Snapshot | undefined;
  /** The index before `#entries[0]`, and its term. */
  #compactedIndex: LogIndex = 0;
  #compactedTerm: Term = 0;
  #entries: Entry[] = [];

  /** @param init - `snapshot`: where to start, in place of an empty log. */
  constructor(init: { readonly snapshot?: Snapshot } = {}) {
    if (init.snapshot !== undefined) {
      this.installSnapshot(init.snapshot);
      const commitIndex = init.snapshot.lastIncludedIndex;
      this.#hardState = { currentTerm: 0, votedFor: undefined, commitIndex };
    }
  }

  initialState(): InitialState {
    const commitIndex = Math.max(this.#hardState.commitIndex, this.#compactedIndex);
    return {
      hardState: { ...this.#hardState, commitIndex },
      configuration: this.#configuration,
    };
  }

  firstIndex(): LogIndex {
    return this.#compactedIndex + 1;
  }

  lastIndex(): LogIndex {
    return this.#compactedIndex + this.#entries.length;
  }

  term(index: LogIndex): Term | undefined {
    if (index === this.#compactedIndex) return this.#compactedTerm;
    return this.#entries[index - this.#compactedIndex - 1]?.term;
  }

  entries(range: {
    low: LogIndex;
    high: LogIndex;
    bytesMax: number;
  }): readonly Entry[] | undefined {
    const { low, high, bytesMax } = range;
    if (low <= this.#compactedIndex) return undefined;
    assert(low < high && high <= this.lastIndex() + 1, "the range is stored");
    const from = low - this.#compactedIndex - 1;
    let bytes = 0;
    let count = 0;
    while (count < high - low) {
      bytes += entryBytes(this.#entries[from + count] as Entry);
      if (bytes > bytesMax && count > 0) break;
      count += 1;
    }
    return this.#entries.slice(from, from + count);
  }

  snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  setHardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  /** What `initialState` reports from now on: the configuration as of the applied index. */
  setConfiguration(configuration: Configuration): void {
    this.#configuration = configuration;
  }

  /** Replaces everything from the first entry's index on. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    assert(first.index > this.#compactedIndex, "what is compacted is not rewritten");
    assert(first.index <= this.lastIndex() + 1, "entries follow the log without a gap");
    this.#entries.length = first.index - this.#compactedIndex - 1;
    for (const entry of entries) this.#entries.push(entry);
  }

  /** Replaces log and configuration by a snapshot that a leader sent. */
  installSnapshot(snapshot: Snapshot): void {
    assert(snapshot.lastIncludedIndex >= this.#compactedIndex, "a snapshot does not go back");
    this.#snapshot = snapshot;
    this.#configuration = snapshot.configuration;
    this.#compactedIndex = snapshot.lastIncludedIndex;
    this.#compactedTerm = snapshot.lastIncludedTerm;
    this.#entries = [];
  }

  /** Keeps a snapshot of the own state machine, to be sent to followers. */
  setSnapshot(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
  }

  /** Drops the entries before `newFirstIndex`, which a kept snapshot covers. */
  compact(newFirstIndex: LogIndex): void {
    const lastDropped = newFirstIndex - 1;
    assert(lastDropped >= this.#compactedIndex, "compaction does not go back");
    assert(lastDropped <= this.lastIndex(), "only what is stored is compacted");
    const term = this.term(lastDropped);
    assert(term !== undefined, "a stored index has a term");
    this.#entries = this.#entries.slice(lastDropped - this.#compactedIndex);
    this.#compactedIndex = lastDropped;
    this.#compactedTerm = term;
  }
}
