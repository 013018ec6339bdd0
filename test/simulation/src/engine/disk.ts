/**
 * The disk of one host: one ordered stream of records, of which a crash keeps a prefix.
 *
 *     written and synced   │   written only (page cache)
 *     ─────────────────────┼──────────────────────────────
 *     survives everything  │   survives kill -9; of it, power loss keeps any prefix, and may tear
 *                          │   the record after that, whose checksum then tells where to cut
 *
 * On some hosts (flush mode `async`) entries count as durable once they are written, and are synced
 * behind that; a promise is synced first, with all before it:
 *
 *     hardened             │   durable              │   written only
 *     ─────────────────────┼────────────────────────┼─────────────────────────────────────────────
 *     survives everything  │   survives kill -9; of it, power loss keeps any prefix
 *
 * Term and vote go through the same stream, before the entries written with them, so no crash can
 * keep entries of a term and forget the term; the commit index comes after them, so none can keep
 * it and forget what it speaks of. Synced records are folded into an image at once, so that "what
 * is durable on this node" is a value that checkers can look at after every event.
 */

import { assert, type Prng } from "@quorumlog/std";
import type { Entry, HardState, LogIndex, NodeId, Snapshot, Term } from "@quorumlog/raft";
import type { Micros } from "./event-queue.ts";
import { LogView } from "./log-view.ts";

export type DiskRecord =
  /** Before the entries of its work. */
  | { readonly kind: "vote"; readonly currentTerm: Term; readonly votedFor: NodeId | undefined }
  /** After the entries of its work: what stood at that index before them was not committed. */
  | { readonly kind: "commit"; readonly commitIndex: LogIndex }
  /** Replaces everything from its index on. */
  | { readonly kind: "entry"; readonly entry: Entry }
  /** A leader's snapshot: replaces the log and the state machine. */
  | { readonly kind: "install"; readonly snapshot: Snapshot }
  /** A snapshot of the node's own state machine. */
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot }
  /** A state machine that is durable by itself has got this far; the log stays as it is. */
  | { readonly kind: "checkpoint"; readonly snapshot: Snapshot }
  | { readonly kind: "compact"; readonly index: LogIndex };

/** How a host went down: its process only, or the machine with its page cache. */
export type CrashKind = "process" | "power";

/** What a disk holds, read from its beginning. */
export class DiskImage {
  hardState: HardState = { currentTerm: 0, votedFor: undefined, commitIndex: 0 };
  log: LogView = new LogView({ index: 0, term: 0 });
  snapshot: Snapshot | undefined;
  checkpoint: Snapshot | undefined;

  fold(record: DiskRecord): void {
    switch (record.kind) {
      case "vote": {
        const { currentTerm, votedFor } = record;
        this.hardState = { ...this.hardState, currentTerm, votedFor };
        break;
      }
      case "commit":
        this.hardState = { ...this.hardState, commitIndex: record.commitIndex };
        break;
      case "entry":
        this.log.append(record.entry);
        break;
      case "install": {
        const { lastIncludedIndex: index, lastIncludedTerm: term } = record.snapshot;
        this.log.reset({ index, term });
        this.snapshot = record.snapshot;
        break;
      }
      case "snapshot":
        this.snapshot = newer(this.snapshot, record.snapshot);
        break;
      case "checkpoint":
        this.checkpoint = newer(this.checkpoint, record.snapshot);
        break;
      case "compact":
        this.log.compactTo(record.index);
        break;
    }
  }

  /** The newest state machine on this disk. */
  newestState(): Snapshot | undefined {
    if (this.checkpoint === undefined) return this.snapshot;
    return newer(this.snapshot, this.checkpoint);
  }

  clone(): DiskImage {
    const copy = new DiskImage();
    copy.hardState = this.hardState;
    copy.log = this.log.clone();
    copy.snapshot = this.snapshot;
    copy.checkpoint = this.checkpoint;
    return copy;
  }
}

function newer(old: Snapshot | undefined, next: Snapshot): Snapshot {
  return old !== undefined && old.lastIncludedIndex > next.lastIncludedIndex ? old : next;
}

export class Disk {
  #durable: DiskImage = new DiskImage();
  #cached: DiskRecord[] = [];
  /** Flush mode `async`: what survives a loss of power, and what is durable beyond that. */
  readonly #hardened: DiskImage | undefined;
  #soft: DiskRecord[] = [];
  /** How many records were synced; a record's position is its number in the stream. */
  #synced = 0;
  #rottenIndex: LogIndex | undefined;
  /** Syncs take so many times as long as usual. */
  slowness = 1;
  /** And so much longer. */
  stall: Micros = 0;
  /** How many more syncs succeed before one fails; infinite on a healthy disk. */
  syncsUntilFailure: number = Number.POSITIVE_INFINITY;

  /** @param flush - When entries that are written are synced. */
  constructor(flush: "sync" | "async" = "sync") {
    if (flush === "async") this.#hardened = new DiskImage();
  }

  /** Whether something counts as durable that a loss of power would take. */
  get isSoft(): boolean {
    return this.#soft.length > 0;
  }

  get durable(): DiskImage {
    return this.#durable;
  }

  /** The position after the last record written. */
  get written(): number {
    return this.#synced + this.#cached.length;
  }

  get synced(): number {
    return this.#synced;
  }

  get unsyncedCount(): number {
    return this.#cached.length;
  }

  /** Where a bit has flipped; 0 for the header that holds term and vote. */
  get rottenIndex(): LogIndex | undefined {
    return this.#rottenIndex;
  }

  write(records: readonly DiskRecord[]): number {
    for (const record of records) this.#cached.push(record);
    return this.written;
  }

  /** Makes everything before `position` durable. */
  syncTo(position: number): void {
    const count = Math.min(position, this.written) - this.#synced;
    if (count <= 0) return;
    const records = this.#cached.splice(0, count);
    for (const record of records) this.#durable.fold(record);
    if (this.#hardened !== undefined) this.#soft.push(...records);
    this.#synced += count;
  }

  /** Whether anything before `position` must survive everything once it counts as durable. */
  isPromise(position: number): boolean {
    if (this.#hardened === undefined) return true;
    const { currentTerm, votedFor } = this.#durable.hardState;
    return this.#cached.slice(0, position - this.#synced).some((record) => {
      if (record.kind === "entry" || record.kind === "commit" || record.kind === "checkpoint")
        return false;
      if (record.kind !== "vote") return true;
      return record.currentTerm !== currentTerm || record.votedFor !== votedFor;
    });
  }

  /** A sync has returned: what counts as durable survives everything. */
  harden(): void {
    for (const record of this.#soft.splice(0)) this.#hardened?.fold(record);
  }

  /** What a process that starts now reads, synced or not. */
  read(): DiskImage {
    const image = this.#durable.clone();
    for (const record of this.#cached) image.fold(record);
    return image;
  }

  /**
   * Power loss keeps some of what was written and not synced, from the front on. A record that was
   * torn is one that was lost: what recovery makes of torn bytes is the log store's matter.
   *
   * @returns how many records were lost; and the log as it was, if any of them had counted as
   *   durable.
   */
  crash(
    kind: CrashKind,
    prng: Prng,
  ): { readonly lostCount: number; readonly forgotten: LogView | undefined } {
    if (kind === "process") return { lostCount: 0, forgotten: undefined };
    const forgotten = this.#forget(prng);
    // Nothing survives behind a gap.
    const keptMax = forgotten === undefined ? this.#cached.length : 0;
    const kept = keptMax === 0 ? 0 : prng.below(keptMax + 1);
    const lostCount = this.#cached.length - kept;
    this.syncTo(this.#synced + kept);
    this.harden();
    this.#cached = [];
    return { lostCount, forgotten };
  }

  #forget(prng: Prng): LogView | undefined {
    const count = this.#soft.length;
    if (this.#hardened === undefined || count === 0) return undefined;
    const { log } = this.#durable;
    const kept = prng.below(count + 1);
    this.#soft.length = kept;
    this.harden();
    this.#durable = this.#hardened.clone();
    return kept < count ? log : undefined;
  }

  /** Flips a bit below the synced mark. Reads of that entry fail, and so does the next start. */
  rot(index: LogIndex): void {
    assert(index <= this.#durable.log.lastIndex, "only what is stored can rot");
    this.#rottenIndex = index;
  }

  /** Whether damage below the synced mark is still there: compaction may have dropped it unread. */
  isDamaged(): boolean {
    if (this.#rottenIndex === undefined) return false;
    return this.#rottenIndex === 0 || this.#rottenIndex > this.#durable.log.baseIndex;
  }
}
