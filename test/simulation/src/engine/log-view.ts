/** A log as a list of entries after a position; what disks, storages and checkers keep. */

import { assert } from "@quorumlog/std";
import type { Entry, LogIndex, LogPosition, Term } from "@quorumlog/raft";

export class LogView {
  #baseIndex: LogIndex;
  #baseTerm: Term;
  #entries: Entry[];

  constructor(base: LogPosition, entries: readonly Entry[] = []) {
    this.#baseIndex = base.index;
    this.#baseTerm = base.term;
    this.#entries = [...entries];
  }

  /** The position before the first entry: where compaction or a snapshot ended. */
  get baseIndex(): LogIndex {
    return this.#baseIndex;
  }

  get lastIndex(): LogIndex {
    return this.#baseIndex + this.#entries.length;
  }

  get lastTerm(): Term {
    return this.#entries.at(-1)?.term ?? this.#baseTerm;
  }

  /** The term at `index`; `undefined` where the log is compacted away or has not got to. */
  term(index: LogIndex): Term | undefined {
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.#entries[index - this.#baseIndex - 1]?.term;
  }

  entry(index: LogIndex): Entry | undefined {
    return this.#entries[index - this.#baseIndex - 1];
  }

  /** Whether this log holds the entry at `position`, or a snapshot in its place. */
  covers(position: LogPosition): boolean {
    if (position.index <= this.#baseIndex) return true;
    return this.term(position.index) === position.term;
  }

  /** A copy of the entries from `low` to before `high`. */
  slice(low: LogIndex, high: LogIndex): Entry[] {
    return this.#entries.slice(low - this.#baseIndex - 1, high - this.#baseIndex - 1);
  }

  /** Appends, after removing everything from the index of `entry` on. */
  append(entry: Entry): void {
    assert(entry.index > this.#baseIndex, "what is compacted is not rewritten");
    assert(entry.index <= this.lastIndex + 1, "entries follow the log without a gap");
    const at = entry.index - this.#baseIndex - 1;
    if (at < this.#entries.length) this.#entries.length = at;
    this.#entries.push(entry);
  }

  /** Replaces everything by a snapshot that ends at `base`. */
  reset(base: LogPosition): void {
    this.#baseIndex = base.index;
    this.#baseTerm = base.term;
    this.#entries = [];
  }

  /** Drops the entries up to and including `index`. */
  compactTo(index: LogIndex): void {
    if (index <= this.#baseIndex) return;
    const term = this.term(index);
    assert(term !== undefined, "only what is in the log is compacted");
    this.#entries = this.#entries.slice(index - this.#baseIndex);
    this.#baseIndex = index;
    this.#baseTerm = term;
  }

  clone(): LogView {
    return new LogView({ index: this.#baseIndex, term: this.#baseTerm }, this.#entries);
  }
}
