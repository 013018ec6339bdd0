/**
 * The log as the core sees it: stable storage, then the unstable end, and three cursors on it.
 *
 *     applied <= applying <= commitIndex <= lastIndex
 *
 * `applying` is what was handed out to be applied, `applied` what was reported back. How many bytes
 * lie between the two is bounded, so that a slow state machine does not fill memory.
 */

import { assert, required, sometimes } from "@quorumlog/std";
import { type Entry, entryBytes, type LogPosition } from "./entry.ts";
import type { LogPointers, RaftObserver } from "./events.ts";
import type { LogIndex, Term } from "./ids.ts";
import type { LogStorage } from "./log-storage.ts";
import type { Snapshot } from "./snapshot.ts";
import { UnstableLog } from "./unstable-log.ts";

/** Whether the entries of an append fit, and from which one on they are news. */
export type AppendOutcome =
  | { readonly outcome: "matched"; readonly lastNewIndex: LogIndex }
  | { readonly outcome: "mismatched" }
  | { readonly outcome: "contradiction" };

export class RaftLog {
  readonly #storage: LogStorage;
  readonly #unstable: UnstableLog;
  readonly #observer: RaftObserver | undefined;
  readonly #applyingBytesMax: number;
  #commitIndex: LogIndex;
  #applying: LogIndex;
  #applied: LogIndex;
  #applyingBytes = 0;
  #applyingPaused = false;
  /** Storage is repairing entries from here on: they are not applied before the next tick. */
  #unreadableFrom: LogIndex = Infinity;

  constructor(init: {
    storage: LogStorage;
    applyingBytesMax: number;
    observer: RaftObserver | undefined;
  }) {
    this.#storage = init.storage;
    this.#observer = init.observer;
    this.#applyingBytesMax = init.applyingBytesMax;
    const firstIndex = init.storage.firstIndex();
    const lastIndex = init.storage.lastIndex();
    assert(firstIndex >= 1 && firstIndex <= lastIndex + 1, "storage holds a contiguous log");
    this.#unstable = new UnstableLog(lastIndex + 1, init.observer);
    this.#commitIndex = firstIndex - 1;
    this.#applying = firstIndex - 1;
    this.#applied = firstIndex - 1;
  }

  get commitIndex(): LogIndex {
    return this.#commitIndex;
  }

  get appliedIndex(): LogIndex {
    return this.#applied;
  }

  /** The last entry known to be durable here, if nothing below it was rewritten. */
  get stableIndex(): LogIndex {
    return this.#unstable.offset - 1;
  }

  firstIndex(): LogIndex {
    const snapshot = this.#unstable.snapshot;
    return snapshot === undefined ? this.#storage.firstIndex() : snapshot.lastIncludedIndex + 1;
  }

  lastIndex(): LogIndex {
    return this.#unstable.lastIndex() ?? this.#storage.lastIndex();
  }

  last(): LogPosition {
    const index = this.lastIndex();
    return { index, term: required(this.term(index), "the last entry has a term") };
  }

  /** The term at `index`, or `undefined` if that is compacted away or past the end. */
  term(index: LogIndex): Term | undefined {
    const term = this.#unstable.term(index);
    if (term !== undefined) return term;
    if (index + 1 < this.firstIndex() || index > this.lastIndex()) return undefined;
    return required(this.#storage.term(index), "storage knows the terms that it holds");
  }

  matches(position: LogPosition): boolean {
    return this.term(position.index) === position.term;
  }

  /** Whether a log that ends at `last` is at least as up-to-date as this one (§5.4.1). */
  isUpToDate(last: LogPosition): boolean {
    const own = this.last();
    return last.term > own.term || (last.term === own.term && last.index >= own.index);
  }

  /**
   * Entries from `low` on, up to `bytesMax` but at least one; `undefined` if compacted away, and
   * none at the end, or while storage repairs them.
   */
  entries(low: LogIndex, bytesMax: number): readonly Entry[] | undefined {
    const lastIndex = this.lastIndex();
    if (low > lastIndex) return [];
    if (low < this.firstIndex()) return undefined;
    return this.#slice({ low, high: lastIndex + 1, bytesMax });
  }

  /** A leader's own new entries, which follow the log. */
  append(entries: readonly Entry[]): void {
    const first = required(entries[0], "there is something to append");
    assert(first.index === this.lastIndex() + 1, "a leader appends only (paper figure 3)");
    this.#unstable.truncateAndAppend(entries);
  }

  /**
   * A follower's part of AppendEntries (§5.3): if the log holds `prev`, entries that it has are
   * kept, the first that conflicts and all after it are replaced.
   *
   * @param fixed - Up to here nothing may change, beside what is committed.
   */
  maybeAppend(prev: LogPosition, entries: readonly Entry[], fixed: LogIndex): AppendOutcome {
    if (!this.matches(prev)) return { outcome: "mismatched" };
    const news = this.#firstNew(entries);
    if (news < entries.length) {
      const at = entries[news] as Entry;
      if (at.index <= Math.max(this.#commitIndex, fixed)) return { outcome: "contradiction" };
      if (at.index <= this.lastIndex()) {
        sometimes("follower log truncated");
        const existingTerm = this.term(at.index) ?? 0;
        const index = at.index;
        this.#observer?.({ type: "conflictFound", index, existingTerm, conflictingTerm: at.term });
      }
      this.#unstable.truncateAndAppend(news === 0 ? entries : entries.slice(news));
    }
    return { outcome: "matched", lastNewIndex: prev.index + entries.length };
  }

  /** The position of the first entry that this log does not hold already. */
  #firstNew(entries: readonly Entry[]): number {
    // The usual case: everything is news, and follows the log.
    if (entries.length > 0 && (entries[0] as Entry).index > this.lastIndex()) return 0;
    let i = 0;
    while (i < entries.length && this.matches(entries[i] as Entry)) i += 1;
    return i;
  }

  /**
   * Where this log and another may still agree, given one `position` of the other: the highest
   * index at most `position.index` whose term is at most `position.term`, as no term in a log
   * exceeds a later one. The term is 0 where it is unknown. Skips a whole diverged term per round
   * trip, in place of one entry.
   */
  findConflictByTerm(position: LogPosition): LogPosition {
    for (let index = position.index; index > 0; index--) {
      const term = this.term(index);
      if (term === undefined) return { index, term: 0 };
      if (term <= position.term) return { index, term };
    }
    return { index: 0, term: 0 };
  }

  /** Commits what a quorum holds, if it is of the leader's own term (§5.4.2, figure 8). */
  maybeCommit(position: LogPosition): boolean {
    if (position.index <= this.#commitIndex || position.index === Infinity) return false;
    if (position.term === 0 || !this.matches(position)) return false;
    this.commitTo(position.index);
    return true;
  }

  /** Moves the commit index forward, never back. */
  commitTo(index: LogIndex): void {
    if (index <= this.#commitIndex) return;
    assert(index <= this.lastIndex(), "what is committed is in the log: was it lost or truncated?");
    this.#commitIndex = index;
    this.#observer?.({ type: "commitAdvanced", commitIndex: index });
  }

  /** At start: what storage says was committed. */
  restoreCommit(index: LogIndex): void {
    assert(index >= this.#commitIndex, "the stored commit index is not below the snapshot");
    assert(index <= this.lastIndex(), "the stored commit index is not past the log");
    this.#commitIndex = index;
  }

  restore(snapshot: Snapshot): void {
    this.#unstable.restore(snapshot);
    this.#commitIndex = snapshot.lastIncludedIndex;
  }

  /** A leader's snapshot to send; `undefined` while there is none. */
  snapshot(): Snapshot | undefined {
    const snapshot = this.#storage.snapshot();
    if (snapshot === undefined) return undefined;
    const { lastIncludedIndex } = snapshot;
    assert(lastIncludedIndex + 1 >= this.firstIndex(), "the log goes on where the snapshot ends");
    assert(lastIncludedIndex <= this.#commitIndex, "a snapshot is of what is committed");
    return snapshot;
  }

  hasPendingSnapshot(): boolean {
    return this.#unstable.snapshot !== undefined;
  }

  nextSnapshot(): Snapshot | undefined {
    return this.#unstable.nextSnapshot();
  }

  nextUnstableEntries(): readonly Entry[] {
    return this.#unstable.nextEntries();
  }

  hasNextUnstableEntries(): boolean {
    return this.#unstable.hasNextEntries();
  }

  hasUnstableEntries(): boolean {
    return this.#unstable.count > 0;
  }

  acceptUnstable(): void {
    this.#unstable.acceptInProgress();
  }

  stableTo(position: LogPosition): void {
    this.#unstable.stableTo(position);
  }

  stableSnapshotTo(index: LogIndex): void {
    this.#unstable.stableSnapshotTo(index);
  }

  /**
   * @param allowUnstable - Whether entries may be applied before they are durable here. A quorum
   *   holds them, so it is safe only where this node finishes the write before it answers anyone.
   */
  hasNextCommitted(allowUnstable: boolean): boolean {
    // A snapshot and entries in one turn would leave open what comes first (etcd 8349efa).
    if (this.#applyingPaused || this.hasPendingSnapshot()) return false;
    return this.#applying < this.#appliableIndex(allowUnstable);
  }

  nextCommitted(allowUnstable: boolean): readonly Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return [];
    const bytesMax = this.#applyingBytesMax - this.#applyingBytes;
    assert(bytesMax > 0, "applying is paused when its limit is reached");
    const high = this.#appliableIndex(allowUnstable) + 1;
    const page = this.#slice({ low: this.#applying + 1, high, bytesMax });
    const entries = required(page, "what is not applied is not compacted");
    if (entries.length === 0) this.#unreadableFrom = this.#applying + 1;
    return entries;
  }

  /** What could not be read may be readable by now. */
  retryReads(): void {
    this.#unreadableFrom = Infinity;
  }

  /** Entries up to `index` were handed out to be applied. */
  acceptApplying(index: LogIndex, bytes: number, allowUnstable: boolean): void {
    assert(index > this.#applying && index <= this.#commitIndex, "only committed entries apply");
    this.#applying = index;
    this.#applyingBytes += bytes;
    // Short of what could be applied means that the next entry would pass the limit.
    this.#applyingPaused =
      this.#applyingBytes >= this.#applyingBytesMax || index < this.#appliableIndex(allowUnstable);
    if (this.#applyingPaused) sometimes("apply paginated");
  }

  appliedTo(index: LogIndex, bytes: number): void {
    assert(index >= this.#applied && index <= this.#commitIndex, "applied moves up to committed");
    this.#applied = index;
    this.#applying = Math.max(this.#applying, index);
    this.#applyingBytes = Math.max(0, this.#applyingBytes - bytes);
    this.#applyingPaused = this.#applyingBytes >= this.#applyingBytesMax;
  }

  /** Whether one of the committed entries that are not applied may satisfy `test`. */
  someUnapplied(test: (entry: Entry) => boolean): boolean {
    let low = this.#applied + 1;
    while (low <= this.#commitIndex) {
      const range = { low, high: this.#commitIndex + 1, bytesMax: this.#applyingBytesMax };
      const page = required(this.#slice(range), "what is not applied is not compacted");
      // What cannot be read may be just that.
      if (page.length === 0 || page.some(test)) return true;
      low += page.length;
    }
    return false;
  }

  pointers(): LogPointers {
    return {
      committed: this.#commitIndex,
      applied: this.#applied,
      applying: this.#applying,
      unstableOffset: this.#unstable.offset,
      unstableOffsetInProgress: this.#unstable.inProgress,
      unstableCount: this.#unstable.count,
    };
  }

  checkInvariants(): void {
    assert(this.#applied <= this.#applying, "applied is not above applying");
    assert(this.#applying <= this.#commitIndex, "applying is not above commitIndex");
    assert(this.#commitIndex <= this.lastIndex(), "commitIndex is not above lastIndex");
    this.#unstable.checkInvariants();
  }

  #appliableIndex(allowUnstable: boolean): LogIndex {
    const readable = Math.min(this.#commitIndex, this.#unreadableFrom - 1);
    return allowUnstable ? readable : Math.min(readable, this.#unstable.offset - 1);
  }

  /**
   * `[low, high)` up to `bytesMax` but at least one, unless storage is repairing it;
   * `undefined` if storage compacted `low`.
   */
  #slice(range: { low: LogIndex; high: LogIndex; bytesMax: number }): readonly Entry[] | undefined {
    const { low, high, bytesMax } = range;
    const offset = this.#unstable.offset;
    if (low >= offset) return withinBytes(this.#unstable.slice(low, high), bytesMax);
    const stableHigh = Math.min(high, offset);
    const stable = this.#storage.entries({ low, high: stableHigh, bytesMax });
    if (stable === undefined) return undefined;
    if (stable === "unreadable") {
      sometimes("entries unreadable for now");
      return [];
    }
    assert(stable.length > 0, "storage returns at least one entry");
    assert((stable[0] as Entry).index === low, "storage returns what was asked for");
    if (stable.length < stableHigh - low || high <= offset) return stable;
    return withinBytes([...stable, ...this.#unstable.slice(offset, high)], bytesMax);
  }
}

/** The longest prefix of at most `bytesMax`, but at least one entry. */
function withinBytes(entries: readonly Entry[], bytesMax: number): readonly Entry[] {
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) {
    bytes += entryBytes(entries[i] as Entry);
    if (bytes > bytesMax && i > 0) return entries.slice(0, i);
  }
  return entries;
}
