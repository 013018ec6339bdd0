/** A log on a file system in memory, driven step by step. */

import { Prng } from "@quorumlog/std";
import {
  type AppendBatch,
  type AsyncFlush,
  createLog,
  type HardState,
  type LogBase,
  type LogEntry,
  type LogError,
  type LogIdentity,
  type LateSync,
  type LogOptions,
  parseLogOptions,
  SegmentLogStore,
} from "../../src/index.ts";
import { MemoryFileSystem } from "../../src/testing/index.ts";

export const DIRECTORY = "/log";

export const IDENTITY: LogIdentity = { clusterId: "test", groupId: 0, nodeId: 1, incarnation: 1 };

export const NO_BASE: LogBase = { term: 0, index: 0, configuration: new Uint8Array(0) };

/** Of its disk, and of the logs on it. */
export interface MachineOptions extends Record<string, unknown> {
  readonly capacityBytes?: number;
}

/** A machine: a disk, and what is running on it. */
export class Machine {
  readonly fileSystem: MemoryFileSystem;
  readonly options: LogOptions;
  readonly #jobs: (() => void)[] = [];
  readonly #timers = new Set<() => void>();
  /** Syncs that the disk does not answer; `undefined`: it answers all. */
  #heldSyncs: (() => void)[] | undefined;
  /** Of which files; `undefined`: of all. */
  #heldPath: string | undefined;
  /** For logs that are opened from now on. */
  flush: AsyncFlush | undefined;
  /** Whether logs that are opened from now on pause where they may, until {@link ring}. */
  hasPauses = false;
  failure: LogError | undefined;
  /** What became of the sync that was under way as the log failed. */
  lateSync: LateSync | undefined;

  constructor(seed = 1, { capacityBytes, ...options }: MachineOptions = {}) {
    this.options = parseLogOptions({ segmentBytes: 65_536, tailBytesMax: 4_096, ...options });
    this.fileSystem = new MemoryFileSystem({
      ...(capacityBytes === undefined ? {} : { capacityBytes }),
      prng: new Prng(seed),
      schedule: (run, { operation, path }) => {
        const isOfPath = path === (this.#heldPath ?? path);
        const isHeld = operation === "sync" && isOfPath && this.#heldSyncs !== undefined;
        (isHeld ? this.#heldSyncs : this.#jobs)?.push(run);
      },
    });
  }

  create(base: LogBase = NO_BASE, identity: LogIdentity = IDENTITY): void {
    const { fileSystem, options } = this;
    const salt = 7;
    createLog({ fileSystem, directory: DIRECTORY, identity, options }, { base, salt });
  }

  open(identity: LogIdentity = IDENTITY): SegmentLogStore {
    const { fileSystem, options } = this;
    this.failure = undefined;
    return SegmentLogStore.open({
      fileSystem,
      directory: DIRECTORY,
      identity,
      options,
      flush: this.flush,
      after: this.hasPauses ? this.#after : undefined,
      onFailure: (error) => {
        this.failure = error;
      },
      onLateSync: (outcome) => {
        this.lateSync = outcome;
      },
    });
  }

  /** Has logs sync behind their answers, after so many bytes or when {@link ring} is called. */
  flushLater(bytes: number): void {
    this.flush = {
      intervalMs: 1_000,
      bytes,
      after: this.#after,
    };
  }

  readonly #after = (_delayMs: number, run: () => void): (() => boolean) => {
    this.#timers.add(run);
    return () => this.#timers.delete(run);
  };

  /** @param path - Of the file whose syncs are not answered; default: all. */
  holdSyncs(path?: string): void {
    this.#heldSyncs = [];
    this.#heldPath = path;
  }

  releaseSyncs(): void {
    this.#jobs.push(...(this.#heldSyncs ?? []));
    this.#heldSyncs = undefined;
  }

  /** Of the syncs that are held, the disk answers the one that was asked for last. */
  releaseLastSync(): void {
    const run = this.#heldSyncs?.pop();
    if (run !== undefined) this.#jobs.push(run);
  }

  /** Time is up for whatever waits for it. */
  ring(): void {
    for (const run of this.#timers) {
      this.#timers.delete(run);
      run();
    }
  }

  /** Something that is not of the disk, and takes its turn with it. */
  later(run: () => void): void {
    this.#jobs.push(run);
  }

  /** Runs one callback that is due; returns false if there is none. */
  step(): boolean {
    const job = this.#jobs.shift();
    job?.();
    return job !== undefined;
  }

  /** Runs all there is, until nothing is due. */
  settle(): void {
    while (this.step());
  }

  crash(kind: "process" | "power"): void {
    this.fileSystem.crash(kind);
    this.#jobs.length = 0;
    this.#heldSyncs = undefined;
    this.#timers.clear();
  }

  files(): string[] {
    return (this.fileSystem.list(DIRECTORY) ?? []).map((name) => `${DIRECTORY}/${name}`);
  }
}

export function made(seed = 1, options: MachineOptions = {}): Machine {
  const machine = new Machine(seed, options);
  machine.create();
  return machine;
}

export function entry(index: number, term = 1, bytes = 8): LogEntry {
  const data = new Uint8Array(bytes).fill(index % 251);
  return { index, term, kind: "normal", data };
}

export function entries(from: number, count: number, term = 1, bytes = 8): LogEntry[] {
  return Array.from({ length: count }, (_, i) => entry(from + i, term, bytes));
}

export function batch(parts: Partial<AppendBatch>): AppendBatch {
  return { hardState: undefined, reset: undefined, entries: [], ...parts };
}

export function hardState(currentTerm: number, commitIndex = 0, votedFor?: number): HardState {
  return { currentTerm, votedFor: votedFor ?? undefined, commitIndex };
}

/** Everything from the first index on. */
export function contents(store: SegmentLogStore): LogEntry[] {
  const found: LogEntry[] = [];
  for (
    let low = store.firstIndex();
    low <= store.lastIndex();
    low = store.firstIndex() + found.length
  ) {
    const part = store.entries({ low, high: store.lastIndex() + 1, bytesMax: 20_000 });
    if (part === undefined) throw new Error("what is stored can be read");
    found.push(...part);
  }
  return found;
}

/**
 * Fills a log of segments of 64 KiB so that all entries of its second file are replaced later.
 *
 * @returns what stands in the log.
 */
export function fillReplaced(machine: Machine, store: SegmentLogStore): LogEntry[] {
  const kept = entries(1, 110, 3, 400);
  const replaced = entries(111, 220, 3, 400);
  const newer = entries(111, 150, 4, 400);
  for (const each of [...kept, ...replaced, ...newer]) {
    const state = hardState(each.term, 0, 2);
    store.append(batch({ hardState: state, entries: [each] }), () => {});
    machine.settle();
  }
  return [...kept, ...newer];
}
