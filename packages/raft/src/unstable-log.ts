/**
 * The end of the log that is not known to be durable, and a snapshot on its way in.
 *
 *        offset            inProgress                end
 *          |                   |                      |
 *          v                   v                      v
 *     -----+-------------------+----------------------+
 *     stable | handed to the driver, | not handed out  |
 *            | being written         | yet             |
 *     -----+-------------------+----------------------+
 *
 * `offset` may lie below what storage holds: then the next write replaces that. Entries stay here
 * while they are written, so that the core always sees one log.
 */

import { assert } from "@quorumlog/std";
import type { Entry, LogPosition } from "./entry.ts";
import type { RaftObserver } from "./events.ts";
import type { LogIndex, Term } from "./ids.ts";
import type { Snapshot } from "./snapshot.ts";

export class UnstableLog {
  #snapshot: Snapshot | undefined;
  #snapshotInProgress = false;
  #entries: Entry[] = [];
  /** The index of the first unstable entry, whether there is one or not. */
  #offset: LogIndex;
  /** One past the last entry that was handed out to be written. */
  #inProgress: LogIndex;
  readonly #observer: RaftObserver | undefined;

  constructor(offset: LogIndex, observer: RaftObserver | undefined) {
    this.#offset = offset;
    this.#inProgress = offset;
    this.#observer = observer;
  }

  get offset(): LogIndex {
    return this.#offset;
  }

  get inProgress(): LogIndex {
    return this.#inProgress;
  }

  get count(): number {
    return this.#entries.length;
  }

  /** A snapshot that is not durable yet, whether it was handed out or not. */
  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  lastIndex(): LogIndex | undefined {
    if (this.#entries.length > 0) return this.#offset + this.#entries.length - 1;
    return this.#snapshot?.lastIncludedIndex;
  }

  term(index: LogIndex): Term | undefined {
    if (index >= this.#offset) return this.#entries[index - this.#offset]?.term;
    const snapshot = this.#snapshot;
    return snapshot?.lastIncludedIndex === index ? snapshot.lastIncludedTerm : undefined;
  }

  hasNextEntries(): boolean {
    return this.#inProgress < this.#offset + this.#entries.length;
  }

  /** The entries that are not being written. */
  nextEntries(): readonly Entry[] {
    return this.hasNextEntries() ? this.#entries.slice(this.#inProgress - this.#offset) : [];
  }

  nextSnapshot(): Snapshot | undefined {
    return this.#snapshotInProgress ? undefined : this.#snapshot;
  }

  /** Everything here is being written now. */
  acceptInProgress(): void {
    this.#inProgress = this.#offset + this.#entries.length;
    if (this.#snapshot !== undefined) this.#snapshotInProgress = true;
  }

  /**
   * Everything up to `position` is durable and no write in flight can replace it. An answer that
   * does not match what stands here now is ignored: the entries were rewritten meanwhile.
   */
  stableTo(position: LogPosition): void {
    const { index, term } = position;
    const unstableTerm = this.term(index);
    if (unstableTerm === undefined || index < this.#offset) {
      this.#observer?.({ type: "stableEntryMissing", index });
      return;
    }
    if (unstableTerm !== term) {
      this.#observer?.({ type: "stableEntryMismatched", reported: position, unstableTerm });
      return;
    }
    this.#entries = this.#entries.slice(index + 1 - this.#offset);
    this.#offset = index + 1;
    this.#inProgress = Math.max(this.#inProgress, this.#offset);
  }

  stableSnapshotTo(index: LogIndex): void {
    if (this.#snapshot?.lastIncludedIndex !== index) return;
    this.#snapshot = undefined;
    this.#snapshotInProgress = false;
  }

  /** Takes a snapshot in place of the whole log. */
  restore(snapshot: Snapshot): void {
    this.#offset = snapshot.lastIncludedIndex + 1;
    this.#inProgress = this.#offset;
    this.#entries = [];
    this.#snapshot = snapshot;
    this.#snapshotInProgress = false;
  }

  /** Appends, after removing whatever stood from the first new index on. */
  truncateAndAppend(entries: readonly Entry[]): void {
    const first = entries[0];
    assert(first !== undefined, "there is something to append");
    const from = first.index;
    const end = this.#offset + this.#entries.length;
    assert(from <= end, "entries follow the log without a gap");
    if (from < end || from < this.#offset) {
      const type = from <= this.#offset ? "unstableReplaced" : "unstableTruncated";
      this.#observer?.({ type, index: from });
    }
    if (from <= this.#offset) {
      this.#entries = [...entries];
      this.#offset = from;
      this.#inProgress = from;
      return;
    }
    this.#entries.length = from - this.#offset;
    for (const entry of entries) this.#entries.push(entry);
    this.#inProgress = Math.min(this.#inProgress, from);
  }

  /** The entries `[low, high)`, all of them unstable. */
  slice(low: LogIndex, high: LogIndex): readonly Entry[] {
    assert(low >= this.#offset && low <= high, "the slice starts in the unstable log");
    assert(high <= this.#offset + this.#entries.length, "the slice ends in the unstable log");
    return this.#entries.slice(low - this.#offset, high - this.#offset);
  }

  checkInvariants(): void {
    assert(this.#offset <= this.#inProgress, "writing is not behind what is stable");
    assert(
      this.#inProgress <= this.#offset + this.#entries.length,
      "writing is not ahead of the log",
    );
    assert(
      this.#snapshot === undefined || this.#snapshot.lastIncludedIndex < this.#offset,
      "unstable entries follow the unstable snapshot",
    );
  }
}
