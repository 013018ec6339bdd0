/**
 * Applies what is committed, keeps snapshots of the state at the markers, and trims the log.
 *
 *     marker entry applied ──> snapshot of the state behind it, written in the background
 *     trim entry applied ────> the log begins behind an older marker, once that one's is durable
 *
 * Every replica does this at the same entries, so they agree on where the group's records begin. A
 * replica that has no snapshot at that very marker keeps more of its log than it has to: markers
 * come as fast as the log grows, and a disk that is slower, or full, passes some of them over.
 */

import type { LogStore } from "@quorumlog/log";
import type { Configuration, Entry, Snapshot } from "@quorumlog/raft";
import { assert, required } from "@quorumlog/std";
import type { Checkpoint, CheckpointPosition } from "./checkpoint.ts";
import { Checkpointer, isContinued } from "./checkpointer.ts";
import { decodeConfiguration, encodeConfiguration } from "./configuration-codec.ts";
import { FOUNDING_INDEX } from "./founding.ts";
import { type CommandResult, GroupState, nextOffsetIn } from "./group-state.ts";
import type { Machine } from "./machine.ts";
import { ReplicaError } from "./replica-error.ts";
import type { ReplicaEventListener } from "./replica-event.ts";
import { SnapshotError } from "./snapshot-error.ts";
import type { SnapshotMeta, SnapshotStore } from "./snapshot-store.ts";
import { superfluous } from "./snapshot-thinning.ts";

export interface StateKeeperInit {
  readonly log: LogStore;
  readonly snapshots: SnapshotStore;
  readonly machine: Machine | undefined;
  /** Open, and where it says that the state was kept; without one there are snapshots alone. */
  readonly kept?: OpenCheckpoint | undefined;
  /** Whether the log may lack what was applied, as is known: see `FlushNote`. Default false. */
  readonly hasLost?: boolean;
  /** Told of snapshots that are damaged, or found no room. */
  readonly onEvent: ReplicaEventListener;
  /** Runs what the disk calls back: what is thrown there has no caller, and ends the node. */
  readonly guarded: (run: () => void) => void;
}

export interface OpenCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly position: CheckpointPosition | undefined;
}

/** Where the state stands as the node starts. */
interface Start {
  readonly index: number;
  readonly term: number;
  readonly configuration: Configuration;
}

interface SnapshotWish {
  readonly meta: Pick<SnapshotMeta, "index" | "term" | "configuration">;
  readonly image: Iterable<Uint8Array>;
}

export class StateKeeper {
  readonly #log: LogStore;
  readonly #snapshots: SnapshotStore;
  readonly #machine: Machine | undefined;
  readonly #onEvent: ReplicaEventListener;
  readonly #guarded: (run: () => void) => void;
  readonly #checkpointer: Checkpointer | undefined;
  #state: GroupState;
  /** Up to where the log was committed as it was opened, as far as it says. */
  readonly #openedCommitIndex: number;
  #appliedIndex: number;
  #appliedTerm: number;
  #configuration: Configuration;
  /** Is being written. */
  #writing: SnapshotWish | undefined;
  /**
   * The newest marker that came meanwhile. Those between are passed over: each holds on to a state
   * of its own, and they may come faster than any disk writes.
   */
  #next: SnapshotWish | undefined;
  #isTrimming = false;
  /**
   * Resets that the log has taken in and that are not on the disk. As long as there is one, the log
   * on the disk rests on a snapshot that `log.base()` says nothing of any more.
   */
  #resetCount = 0;
  /** The next offset behind the log's base: nothing before it can be read here. */
  #baseOffset = 0;

  /**
   * Restores the newest state that is kept and sound, and that the application's own files go as
   * far as: that of the checkpoint, or of a snapshot.
   *
   * @throws ReplicaError `FAILED`, SnapshotError
   */
  constructor(init: StateKeeperInit) {
    this.#log = init.log;
    this.#snapshots = init.snapshots;
    this.#machine = init.machine;
    this.#onEvent = init.onEvent;
    this.#guarded = init.guarded;
    for (const { index, error } of init.snapshots.damaged()) this.#onSnapshotFailed(index, error);
    this.#state = new GroupState(init.machine);
    const checkpointed = this.#restoreCheckpoint(init.kept, init.hasLost === true);
    const { index, term, configuration } = checkpointed ?? this.#restoreSnapshot(init.kept);
    const { commitIndex } = init.log.hardState();
    this.#openedCommitIndex = Math.min(commitIndex, init.log.lastIndex());
    this.#appliedIndex = index;
    this.#appliedTerm = term;
    this.#configuration = configuration;
    if (init.kept !== undefined)
      this.#checkpointer = new Checkpointer(init.kept.checkpoint, checkpointed?.index ?? 0);
    this.#baseOffset = this.#offsetAtBase();
  }

  get state(): GroupState {
    return this.#state;
  }

  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  /** Whether there is more to apply of what the log held as it was opened. */
  get isCatchingUp(): boolean {
    return this.#appliedIndex < this.#openedCommitIndex;
  }

  get configuration(): Configuration {
    return this.#configuration;
  }

  /** The next offset behind the log's base. */
  get baseOffset(): number {
    return this.#baseOffset;
  }

  /** The first offset that can be read here. */
  get firstOffset(): number {
    return Math.max(this.#state.firstOffset, this.#baseOffset);
  }

  /** Whether there is what a node needs that is to begin where this log does. */
  get hasBaseSnapshot(): boolean {
    const { index, term } = this.#log.base();
    if (index <= FOUNDING_INDEX) return true;
    return this.#snapshots.list().some((each) => each.index === index && each.term === term);
  }

  /** Of the newest snapshot's file. */
  get snapshotBytes(): number {
    return this.#snapshots.newest()?.bytes ?? 0;
  }

  get isWritingSnapshot(): boolean {
    return this.#writing !== undefined;
  }

  /** Whether more may be applied: the checkpoint is not too far behind. */
  hasRoom(): boolean {
    return this.#checkpointer?.hasRoom() ?? true;
  }

  /** @param now - In milliseconds, of a clock that never goes back. */
  tick(now: number): void {
    if (this.#checkpointer?.isDue(now) === true) this.checkpoint();
  }

  /**
   * Has the state kept as it is now. Not as long as a reset is under way: the log on the disk does
   * not reach so far before that is over.
   */
  checkpoint(): void {
    if (this.#checkpointer === undefined || this.#resetCount > 0) return;
    const configuration = encodeConfiguration(this.#configuration);
    const position = { index: this.#appliedIndex, term: this.#appliedTerm, configuration };
    this.#checkpointer.cut(position, this.#state);
  }

  /** Applies a normal entry, the next one. */
  applyNormal(entry: Entry, results: CommandResult[] | undefined): void {
    const { index, term, data } = entry;
    this.#advance(entry);
    if (data.byteLength === 0) return;
    const isMarker = this.#state.apply(index, data, results);
    // Behind a checkpoint a marker is applied again whose snapshot was written before.
    if (isMarker && !this.#snapshots.list().some((kept) => kept.index === index)) {
      const meta = { index, term, configuration: this.#configuration };
      this.#next = { meta, image: this.#state.image() };
      this.#writeNext();
    }
    this.#maybeTrim();
    if (this.#checkpointer?.isFull() === true) this.checkpoint();
  }

  /** Notes a configuration entry, the next one, and the configuration in force behind it. */
  applyConfiguration(entry: Entry, configuration: Configuration): void {
    this.#advance(entry);
    this.#configuration = configuration;
  }

  /**
   * Becomes what a snapshot holds; its file is here, unless it is of the empty state. The log is
   * reset to it next: {@link onReset} says when that is on the disk.
   *
   * @throws SnapshotError
   */
  install(snapshot: Snapshot, hasFile: boolean): void {
    const { lastIncludedIndex: index, lastIncludedTerm: term, configuration } = snapshot;
    const state = new GroupState(this.#machine);
    if (hasFile) this.#restore(state, index);
    else state.restore([], index);
    this.#resetCount += 1;
    this.#forgetWishes(index);
    this.#state = state;
    this.#appliedIndex = index;
    this.#appliedTerm = term;
    this.#configuration = configuration;
    this.#baseOffset = state.nextOffset;
  }

  /** The log was reset to the snapshot that was installed: what is older is of no use. */
  onReset(): void {
    assert(this.#resetCount > 0, "a reset follows an installation");
    this.#resetCount -= 1;
    this.#tidy();
  }

  #advance({ index, term }: Entry): void {
    assert(index === this.#appliedIndex + 1, "entries are applied in order, each once");
    assert(term >= this.#appliedTerm, "terms never go back along a log");
    this.#appliedIndex = index;
    this.#appliedTerm = term;
  }

  /** @returns `undefined` if there is none to go on from, or it is damaged. */
  #restoreCheckpoint(kept: OpenCheckpoint | undefined, hasLost: boolean): Start | undefined {
    const position = kept?.position;
    if (kept === undefined || position === undefined) return undefined;
    if (!isContinued(this.#log, position, hasLost)) return undefined;
    const rows = kept.checkpoint.load();
    if (rows === undefined) return undefined;
    this.#state.restoreRows(rows);
    const { index, term } = position;
    if (!this.#isCovered(index, this.#state.nextOffset)) {
      this.#state = new GroupState(this.#machine);
      return undefined;
    }
    const decoded = decodeConfiguration(position.configuration);
    return { index, term, configuration: required(decoded, "a checkpoint names its members") };
  }

  #restoreSnapshot(kept: OpenCheckpoint | undefined): Start {
    const newest = this.#newestUsable();
    if (newest === undefined) this.#state.restore([], this.#log.base().index);
    else this.#restore(this.#state, newest.index);
    // What it kept, if it was not gone on from, is of another entry: no change goes on top of that.
    if (kept !== undefined)
      assert(kept.checkpoint.isWhole, "restore replaces all that the checkpoint keeps");
    if (newest !== undefined) return newest;
    const { index, term, configuration: bytes } = this.#log.base();
    const decoded = decodeConfiguration(bytes);
    return { index, term, configuration: required(decoded, "the log's base has a configuration") };
  }

  /**
   * What the log needs no more of is what a snapshot covers: so each one from its base on will do,
   * with more or less of the log to be applied to it. That at the base is taken whatever files the
   * application has: what they lack before it is in no log any more.
   */
  #newestUsable(): SnapshotMeta | undefined {
    const base = this.#log.base();
    let damage = this.#snapshots.damaged().findLast(({ index }) => index >= base.index)?.error;
    // One that the log knows nothing of was received, and a crash came before it was installed.
    const usable = this.#snapshots
      .list()
      .filter(({ index, term }) => index >= base.index && this.#log.term(index) === term);
    // Read twice, so that no machine is given half a state.
    for (const meta of usable.toReversed()) {
      if (!this.#isSnapshotCovered(meta) && meta.index > base.index) continue;
      const error = this.#snapshots.verify(meta.index);
      if (error === undefined) return meta;
      damage = error;
      this.#onSnapshotFailed(meta.index, error);
    }
    if (base.index <= FOUNDING_INDEX) {
      this.#isCovered(base.index, 0);
      return undefined;
    }
    const what = damage === undefined ? "is missing" : `is not sound: ${damage.message}`;
    throw new ReplicaError(
      "FAILED",
      `the log begins behind index ${base.index}, and the snapshot of the state there ${what}`,
      { cause: damage, file: damage?.file, offset: damage?.offset },
    );
  }

  /** Whether what the application keeps itself goes as far; it need not keep anything. */
  #isCovered(index: number, offset: number): boolean {
    return this.#machine?.covers?.({ index, offset }) ?? true;
  }

  #isSnapshotCovered({ index }: SnapshotMeta): boolean {
    if (this.#machine?.covers === undefined) return true;
    try {
      return this.#isCovered(index, this.#read(index, nextOffsetIn));
    } catch (error) {
      if (!(error instanceof SnapshotError) || error.code !== "SNAPSHOT_CORRUPT") throw error;
      // It is verified next, and then listed among those that are damaged.
      return true;
    }
  }

  /** @param index - Of a snapshot. */
  #restore(state: GroupState, index: number): void {
    this.#read(index, (chunks) => {
      state.restore(chunks, index);
    });
  }

  /** @throws SnapshotError */
  #read<T>(index: number, take: (chunks: Iterable<Uint8Array>) => T): T {
    const reader = required(this.#snapshots.openReader(index), "a snapshot in use is kept");
    try {
      return take(
        (function* chunks() {
          for (let chunk = reader.next(); chunk !== undefined; chunk = reader.next()) yield chunk;
        })(),
      );
    } finally {
      reader.close();
    }
  }

  #offsetAtBase(): number {
    const { index } = this.#log.base();
    return this.#state.markers.find((marker) => marker.index === index)?.offset ?? 0;
  }

  /** A snapshot came that is newer than what is to be written, or is being written. */
  #forgetWishes(index: number): void {
    if (this.#next !== undefined && this.#next.meta.index <= index) this.#next = undefined;
    if (this.#writing === undefined || this.#writing.meta.index > index) return;
    this.#writing = undefined;
    this.#snapshots.abortWrite();
    this.#writeNext();
  }

  #onSnapshotFailed(index: number, error: SnapshotError): void {
    this.#onEvent({ type: "snapshotFailed", index, error });
  }

  #writeNext(): void {
    const wish = this.#next;
    if (wish === undefined || this.#writing !== undefined || !this.#snapshots.isOpen()) return;
    this.#next = undefined;
    this.#writing = wish;
    const { meta, image } = wish;
    const onDurable = (): void => {
      this.#writing = undefined;
      this.#tidy();
      this.#writeNext();
    };
    const onNoSpace = (error: SnapshotError): void => {
      this.#writing = undefined;
      this.#onSnapshotFailed(meta.index, error);
      this.#writeNext();
    };
    try {
      this.#snapshots.write(
        meta,
        image,
        () => {
          this.#guarded(onDurable);
        },
        (error) => {
          this.#guarded(() => {
            onNoSpace(error);
          });
        },
      );
    } catch (error) {
      if (!(error instanceof SnapshotError) || error.code !== "SNAPSHOT_NO_SPACE") throw error;
      onNoSpace(error);
    }
  }

  /** In this order: a snapshot that the log can begin behind is none to be removed. */
  #tidy(): void {
    this.#maybeTrim();
    this.#sweep();
  }

  /**
   * Moves the log's base towards where the group has agreed to begin: as far as a snapshot is here,
   * and never beyond, as somebody may yet read there. If that is short of it, the next snapshot or
   * the next trim gets further; meanwhile the log is longer than it has to be, and a follower is
   * given an older snapshot with more entries behind it. What can be read, and the state, are the
   * same everywhere all the same.
   */
  #maybeTrim(): void {
    if (this.#isTrimming || this.#resetCount > 0 || !this.#log.isOpen()) return;
    const meta = this.#trimCandidate();
    if (meta === undefined) return;
    const { index, term, configuration } = meta;
    const base = { index, term, configuration: encodeConfiguration(configuration) };
    this.#isTrimming = true;
    const offset = this.#state.markers.find((marker) => marker.index === index)?.offset;
    this.#log.trim(base, () => {
      this.#guarded(() => {
        this.#isTrimming = false;
        this.#tidy();
      });
    });
    this.#baseOffset = offset ?? this.#baseOffset;
  }

  /** The newest snapshot that the log may begin behind, and does not yet. */
  #trimCandidate(): SnapshotMeta | undefined {
    const { startIndex } = this.#state;
    const base = this.#log.base().index;
    if (startIndex <= base) return undefined;
    return this.#snapshots
      .list()
      .findLast(
        ({ index, term }) => index > base && index <= startIndex && this.#log.term(index) === term,
      );
  }

  /** Removes snapshots that nobody will need, before the log and within it. */
  #sweep(): void {
    // The log on the disk rests on another one than the log in memory.
    if (this.#isTrimming || this.#resetCount > 0 || !this.#snapshots.isOpen()) return;
    const base = this.#log.base().index;
    const newest = this.#snapshots.newest()?.index;
    const useful = this.#usefulSnapshots(base);
    for (const { index } of this.#snapshots.list()) {
      const isKept = index === base || index === newest || useful.has(index);
      // A removal that fails ends the store.
      if (!isKept && this.#snapshots.isOpen()) this.#snapshots.remove(index, () => undefined);
    }
  }

  /** Those that a trim may want the log to begin behind: at markers, and not too many. */
  #usefulSnapshots(base: number): Set<number> {
    const complete = new Set(this.#snapshots.list().map(({ index }) => index));
    const kept = this.#state.markers.filter(({ index }) => index > base && complete.has(index));
    const given = superfluous(kept);
    return new Set(kept.map(({ index }) => index).filter((index) => !given.has(index)));
  }
}
