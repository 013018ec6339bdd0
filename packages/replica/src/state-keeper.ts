/**
 * Applies what is committed, keeps snapshots of the state at the markers, and trims the log.
 *
 *     marker entry applied ──> snapshot of the state behind it, written in the background
 *     trim entry applied ────> the log begins behind an older marker, once that one's is durable
 *
 * Every replica does this at the same entries: that is what makes their first indexes agree.
 */

import type { LogStore } from "@quorumlog/log";
import type { Configuration, Entry, Snapshot } from "@quorumlog/raft";
import { assert, required } from "@quorumlog/std";
import { decodeConfiguration, encodeConfiguration } from "./configuration-codec.ts";
import { FOUNDING_INDEX } from "./founding.ts";
import { type CommandResult, GroupState } from "./group-state.ts";
import type { Machine } from "./machine.ts";
import { ReplicaError } from "./replica-error.ts";
import type { SnapshotMeta, SnapshotStore } from "./snapshot-store.ts";

export interface StateKeeperInit {
  readonly log: LogStore;
  readonly snapshots: SnapshotStore;
  readonly machine: Machine | undefined;
}

interface SnapshotWish {
  readonly meta: Pick<SnapshotMeta, "index" | "term" | "configuration">;
  readonly image: Iterable<Uint8Array>;
}

export class StateKeeper {
  readonly #log: LogStore;
  readonly #snapshots: SnapshotStore;
  readonly #machine: Machine | undefined;
  #state: GroupState;
  #appliedIndex: number;
  #configuration: Configuration;
  /** Snapshots that are to be written, in order; the first one is being written. */
  readonly #wishes: SnapshotWish[] = [];
  #isTrimming = false;
  /** The next offset behind the log's base: nothing before it can be read here. */
  #baseOffset = 0;

  /**
   * Restores the newest state that is kept.
   *
   * @throws ReplicaError `FAILED`, SnapshotError
   */
  constructor(init: StateKeeperInit) {
    this.#log = init.log;
    this.#snapshots = init.snapshots;
    this.#machine = init.machine;
    const base = init.log.base();
    const newest = this.#newestUsable();
    this.#state = new GroupState(init.machine);
    this.#appliedIndex = newest?.index ?? base.index;
    this.#configuration =
      newest?.configuration ??
      required(decodeConfiguration(base.configuration), "the log's base has a configuration");
    this.#state.restore(newest === undefined ? [] : this.#chunks(newest.index));
    this.#baseOffset = this.#offsetAtBase();
  }

  get state(): GroupState {
    return this.#state;
  }

  get appliedIndex(): number {
    return this.#appliedIndex;
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

  /** Applies a normal entry, the next one. */
  applyNormal(entry: Entry, results: CommandResult[] | undefined): void {
    const { index, term, data } = entry;
    this.#advance(index);
    if (data.byteLength === 0) return;
    if (this.#state.apply(index, data, results)) {
      const meta = { index, term, configuration: this.#configuration };
      this.#wishes.push({ meta, image: this.#state.image() });
      if (this.#wishes.length === 1) this.#writeNext();
    }
    this.#maybeTrim();
  }

  /** Notes a configuration entry, the next one, and the configuration in force behind it. */
  applyConfiguration(entry: Entry, configuration: Configuration): void {
    this.#advance(entry.index);
    this.#configuration = configuration;
  }

  /** Becomes what a snapshot holds; its file is here, unless it is of the empty state. */
  install(snapshot: Snapshot, hasFile: boolean): void {
    const { lastIncludedIndex: index, configuration } = snapshot;
    const state = new GroupState(this.#machine);
    state.restore(hasFile ? this.#chunks(index) : []);
    this.#state = state;
    this.#appliedIndex = index;
    this.#configuration = configuration;
    this.#baseOffset = state.nextOffset;
  }

  /** The log was reset to the snapshot that was installed: what is older is of no use. */
  onReset(): void {
    this.#sweep();
  }

  #advance(index: number): void {
    assert(index === this.#appliedIndex + 1, "entries are applied in order, each once");
    this.#appliedIndex = index;
  }

  #newestUsable(): SnapshotMeta | undefined {
    const base = this.#log.base();
    // One that the log knows nothing of was received, and a crash came before it was installed.
    const usable = this.#snapshots
      .list()
      .filter(({ index, term }) => index >= base.index && this.#log.term(index) === term);
    const newest = usable.at(-1);
    const needsBase = base.index > FOUNDING_INDEX && usable[0]?.index !== base.index;
    if (needsBase && newest === undefined)
      throw new ReplicaError(
        "FAILED",
        `the log begins behind index ${base.index}, and the snapshot of the state there is missing`,
      );
    return newest;
  }

  *#chunks(index: number): Generator<Uint8Array> {
    const reader = required(this.#snapshots.openReader(index), "a snapshot in use is kept");
    for (let chunk = reader.next(); chunk !== undefined; chunk = reader.next()) yield chunk;
  }

  #offsetAtBase(): number {
    const { index } = this.#log.base();
    return this.#state.markers.find((marker) => marker.index === index)?.offset ?? 0;
  }

  #writeNext(): void {
    const wish = this.#wishes[0];
    if (wish === undefined || !this.#snapshots.isOpen()) return;
    this.#snapshots.write(wish.meta, wish.image, () => {
      this.#wishes.shift();
      this.#sweep();
      this.#maybeTrim();
      this.#writeNext();
    });
  }

  /** Moves the log's base to where the group has agreed to begin, once that snapshot is here. */
  #maybeTrim(): void {
    const { startIndex } = this.#state;
    if (this.#isTrimming || startIndex <= this.#log.base().index || !this.#log.isOpen()) return;
    const meta = this.#snapshots.list().find(({ index }) => index === startIndex);
    if (meta === undefined) return;
    const { index, term, configuration } = meta;
    const base = { index, term, configuration: encodeConfiguration(configuration) };
    this.#isTrimming = true;
    const offset = this.#state.markers[0]?.offset;
    this.#log.trim(base, () => {
      this.#isTrimming = false;
      this.#sweep();
      this.#maybeTrim();
    });
    this.#baseOffset = offset ?? this.#baseOffset;
  }

  /** Removes snapshots that nobody will need, before the log and within it. */
  #sweep(): void {
    if (this.#isTrimming || !this.#snapshots.isOpen()) return;
    const base = this.#log.base().index;
    const newest = this.#snapshots.newest()?.index;
    const markers = new Set(this.#state.markers.map(({ index }) => index));
    for (const { index } of this.#snapshots.list()) {
      const isKept = index === base || index === newest || (index > base && markers.has(index));
      if (!isKept) this.#snapshots.remove(index, () => undefined);
    }
  }
}
