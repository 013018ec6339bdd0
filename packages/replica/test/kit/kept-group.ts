/** A node's log, snapshots and state on a disk in memory, step by step, without consensus. */

import { SlabPool } from "@quorumlog/std";
import { createLog, type LogPlace, parseLogOptions, SegmentLogStore } from "@quorumlog/log";
import { EMPTY_CONFIGURATION, type Snapshot } from "@quorumlog/raft";
import { encodeConfiguration } from "../../src/configuration-codec.ts";
import {
  COMMAND_KIND,
  commandBytes,
  type CommandDraft,
  encodeContainer,
} from "../../src/container.ts";
import { foundingBase } from "../../src/founding.ts";
import { MARKER_DRAFT, trimDraft } from "../../src/leader-duties.ts";
import type { Machine } from "../../src/machine.ts";
import type { SnapshotStore, SnapshotStoreInit } from "../../src/snapshot-store.ts";
import { StateKeeper } from "../../src/state-keeper.ts";
import type { MemoryCheckpoint } from "./memory-checkpoint.ts";
import { SnapshotMachine, type Source } from "./snapshots.ts";

const MEMORY = new SlabPool();

const MEMBERS = [{ id: 1, incarnation: 1 }];
const CONFIGURATION = { ...EMPTY_CONFIGURATION, voters: MEMBERS };

export interface KeptGroupInit {
  readonly seed?: number;
  readonly machine?: Machine;
  /** In place of a machine. */
  readonly checkpoint?: MemoryCheckpoint;
  readonly store?: Partial<SnapshotStoreInit>;
  /** Hears of snapshots that failed, too. */
  readonly onSnapshotFailed?: (index: number) => void;
}

export class KeptGroup {
  readonly disk: SnapshotMachine;
  readonly #init: KeptGroupInit;
  log!: SegmentLogStore;
  snapshots!: SnapshotStore;
  keeper!: StateKeeper;
  /** What it said of snapshots, by index. */
  failed: [index: number, error: Error][] = [];
  /** What was thrown where the disk had called back. */
  thrown: unknown[] = [];
  /** What the log said. */
  logFailures: Error[] = [];

  constructor(init: KeptGroupInit = {}) {
    this.#init = init;
    this.disk = new SnapshotMachine(init.seed ?? 1);
    createLog(this.#place(), { base: foundingBase(MEMBERS), salt: 1 });
    this.open();
  }

  /** Opens what is on the disk, and applies what its log says is committed, unless told not to. */
  open({ isApplied = true }: { readonly isApplied?: boolean } = {}): void {
    this.failed = [];
    this.log = SegmentLogStore.open({
      ...this.#place(),
      onFailure: (error) => this.logFailures.push(error),
    });
    this.snapshots = this.disk.open(this.#init.store);
    const { checkpoint, machine = checkpoint } = this.#init;
    const position = checkpoint?.open({ onDurable: () => undefined });
    this.keeper = new StateKeeper({
      log: this.log,
      snapshots: this.snapshots,
      machine,
      kept: checkpoint === undefined ? undefined : { checkpoint, position },
      onEvent: (event) => {
        if (event.type !== "snapshotFailed") return;
        this.failed.push([event.index, event.error]);
        this.#init.onSnapshotFailed?.(event.index);
      },
      guarded: (run) => {
        try {
          run();
        } catch (error) {
          this.thrown.push(error);
        }
      },
    });
    if (isApplied) this.applyCommitted();
  }

  /** The machine stops, and starts again. */
  crash(kind: "process" | "power" = "power", options: { readonly isApplied?: boolean } = {}): void {
    this.disk.crash(kind);
    this.#init.checkpoint?.crash();
    this.disk.fileSystem.fault = undefined;
    this.open(options);
  }

  /** A file that was written or lost while nothing ran. */
  restart(): void {
    this.crash("process");
  }

  get startedAt(): number {
    return this.keeper.appliedIndex;
  }

  /** The first index of the log. */
  get baseIndex(): number {
    return this.log.base().index;
  }

  settle(): void {
    this.disk.settle();
  }

  /** Appends an entry, commits it and applies it. @returns its index. */
  commit(...drafts: readonly CommandDraft[]): number {
    const index = this.log.lastIndex() + 1;
    const data = encodeContainer(drafts, 1_000, MEMORY);
    const entry = { index, term: 1, kind: "normal" as const, data };
    const hardState = { currentTerm: 1, votedFor: 1, commitIndex: index };
    this.log.append({ hardState, reset: undefined, entries: [entry] }, () => undefined);
    this.keeper.applyNormal(entry, undefined);
    return index;
  }

  record(text = "x", session = { sessionId: 0, sequence: 0 }): number {
    const records = [Buffer.from(text)];
    return this.commit({
      kind: COMMAND_KIND.records,
      ...session,
      offset: -1,
      records,
      bytes: commandBytes(records),
    });
  }

  marker(): number {
    return this.commit(MARKER_DRAFT);
  }

  trim(offset: number): number {
    return this.commit(trimDraft(offset));
  }

  /** Becomes what another one has kept at `index`, as a leader wants it. */
  install(index: number): void {
    const snapshot: Snapshot = {
      lastIncludedIndex: index,
      lastIncludedTerm: 1,
      configuration: CONFIGURATION,
      data: new Uint8Array(0),
    };
    this.keeper.install(snapshot, true);
    const reset = { index, term: 1, configuration: encodeConfiguration(CONFIGURATION) };
    const hardState = { currentTerm: 1, votedFor: 1, commitIndex: index };
    this.log.append({ hardState, reset, entries: [] }, () => {
      this.keeper.onReset();
    });
  }

  /** The bytes of a snapshot's file, for another one to receive. */
  source(index: number): Source {
    const bytes = this.disk.bytesOf(index);
    return { offer: { index, term: 1, bytes: bytes.length }, bytes };
  }

  applyCommitted(): void {
    const { commitIndex } = this.log.hardState();
    while (this.keeper.appliedIndex < Math.min(commitIndex, this.log.lastIndex())) {
      const low = this.keeper.appliedIndex + 1;
      const entries = this.log.entries({ low, high: commitIndex + 1, bytesMax: 1e9 }) ?? [];
      for (const entry of entries) this.keeper.applyNormal(entry, undefined);
    }
  }

  #place(): LogPlace {
    return {
      fileSystem: this.disk.fileSystem,
      directory: "/group/log",
      identity: { clusterId: "test", groupId: 3, nodeId: 1, incarnation: 1 },
      options: parseLogOptions({ segmentBytes: 65_536, tailBytesMax: 0 }),
    };
  }
}
