/**
 * A node's own snapshots and checkpoints: when they are taken, and what may be forgotten then.
 *
 *     applied far enough ──> state captured ──> written, synced ──> may be sent; log before it goes
 *
 * A checkpoint is the same state kept for the next start only, as a state machine with a disk of
 * its own would: no log goes for it.
 */

import type { Configuration, LogIndex, Snapshot } from "@quorumlog/raft";
import type { Disk } from "../engine/disk.ts";
import type { LogView } from "../engine/log-view.ts";
import type { StorageOptions } from "../fault/swarm.ts";
import type { NodeStorage } from "./node-storage.ts";
import type { StateMachine } from "./state-machine.ts";

export class SnapshotKeeper {
  readonly #options: StorageOptions;
  readonly #disk: Disk;
  readonly #storage: NodeStorage;
  readonly #machine: StateMachine;
  #isStoring = false;
  #checkpointIndex: LogIndex;

  constructor(init: {
    options: StorageOptions;
    disk: Disk;
    storage: NodeStorage;
    machine: StateMachine;
  }) {
    this.#options = init.options;
    this.#disk = init.disk;
    this.#storage = init.storage;
    this.#machine = init.machine;
    this.#checkpointIndex = init.machine.appliedIndex;
  }

  get isSnapshotDue(): boolean {
    const age = this.#machine.appliedIndex - this.#storage.snapshotIndex;
    return age >= this.#options.snapshotEvery && this.canTake;
  }

  /** Whether there is anything new to take, and none under way. */
  get canTake(): boolean {
    return !this.#isStoring && this.#machine.appliedIndex > this.#storage.snapshotIndex;
  }

  get isCheckpointDue(): boolean {
    const { checkpointEvery } = this.#options;
    const age = this.#machine.appliedIndex - this.#checkpointIndex;
    return checkpointEvery > 0 && age >= checkpointEvery;
  }

  /** Captures the state and begins to write it; the caller sees to the sync. */
  take(configuration: Configuration): Snapshot {
    const snapshot = this.#capture(configuration);
    this.#isStoring = true;
    this.#disk.write([{ kind: "snapshot", snapshot }]);
    return snapshot;
  }

  checkpoint(configuration: Configuration): void {
    this.#checkpointIndex = this.#machine.appliedIndex;
    this.#disk.write([{ kind: "checkpoint", snapshot: this.#capture(configuration) }]);
  }

  /** The state was replaced by a leader's snapshot. */
  onInstalled(): void {
    this.#checkpointIndex = this.#machine.appliedIndex;
  }

  /**
   * The snapshot is durable: it may be sent from now on, and the log before it may go.
   *
   * @param keep - `toldIndex`: what the core knows to be applied, as it may yet read what comes
   *   after; `issued`: compacted along. `undefined` while a leader's snapshot is on its way.
   */
  onStored(snapshot: Snapshot, keep: { toldIndex: LogIndex; issued: LogView } | undefined): void {
    this.#isStoring = false;
    if (keep === undefined || snapshot.lastIncludedIndex <= this.#storage.snapshotIndex) return;
    this.#storage.setSnapshot(snapshot);
    const wanted = snapshot.lastIncludedIndex - this.#options.keptEntries;
    const index = Math.min(wanted, keep.toldIndex);
    if (index <= this.#storage.log.baseIndex) return;
    this.#disk.write([{ kind: "compact", index }]);
    this.#storage.log.compactTo(index);
    keep.issued.compactTo(index);
  }

  #capture(configuration: Configuration): Snapshot {
    return {
      lastIncludedIndex: this.#machine.appliedIndex,
      lastIncludedTerm: this.#machine.appliedTerm,
      configuration,
      data: this.#machine.snapshot(),
    };
  }
}
