/** Snapshots on a file system in memory, driven step by step. */

import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import type { SnapshotError } from "../../src/snapshot-error.ts";
import type { SnapshotOffer } from "../../src/snapshot-name.ts";
import {
  type SnapshotReceipt,
  SnapshotStore,
  type SnapshotStoreInit,
} from "../../src/snapshot-store.ts";
import { voting } from "./configurations.ts";

const DIRECTORY = "/group/snapshots";
export const CHUNK_BYTES = 100;

/** A machine: a disk, and what is running on it. */
export class SnapshotMachine {
  readonly fileSystem: MemoryFileSystem;
  readonly #jobs: (() => void)[] = [];
  failures: SnapshotError[] = [];

  constructor(seed = 1) {
    this.fileSystem = new MemoryFileSystem({
      prng: new Prng(seed),
      schedule: (run) => this.#jobs.push(run),
    });
  }

  open(init: Partial<SnapshotStoreInit> = {}): SnapshotStore {
    this.failures = [];
    return SnapshotStore.open({
      fileSystem: this.fileSystem,
      directory: "/group",
      clusterId: "test",
      groupId: 3,
      chunkBytes: CHUNK_BYTES,
      onFailure: (error) => this.failures.push(error),
      ...init,
    });
  }

  /** Runs one callback that is due; returns false if there is none. */
  step(): boolean {
    const job = this.#jobs.shift();
    job?.();
    return job !== undefined;
  }

  settle(): void {
    while (this.step());
  }

  crash(kind: "process" | "power"): void {
    this.fileSystem.crash(kind);
    this.#jobs.length = 0;
  }

  names(): string[] {
    return this.fileSystem.list(DIRECTORY) ?? [];
  }

  bytesOf(index: number, term = 1): Buffer {
    return Buffer.from(this.fileSystem.bytesOf(pathOf(index, term)));
  }
}

export function pathOf(index: number, term = 1): string {
  return `${DIRECTORY}/${hex(index)}-${hex(term)}.snapshot`;
}

function hex(value: number): string {
  return value.toString(16).padStart(16, "0");
}

/** The state at an index: the same wherever it is asked for. */
export function stateAt(index: number, bytes = 250): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => (index * 31 + i * 7) % 251);
}

/** In pieces of a size. */
export function* pieces(state: Uint8Array, bytes: number): Generator<Uint8Array> {
  for (let at = 0; at < state.length; at += bytes) yield state.subarray(at, at + bytes);
}

export function position(index: number): {
  index: number;
  term: number;
  configuration: ReturnType<typeof voting>;
} {
  return { index, term: 1, configuration: voting(1, 2, 3) };
}

/** A machine with these snapshots, whole. */
export function written(list: readonly number[], bytes = 250): SnapshotMachine {
  const machine = new SnapshotMachine();
  const store = machine.open();
  for (const index of list) {
    store.write(position(index), [stateAt(index, bytes)], () => undefined);
    machine.settle();
  }
  store.close();
  return machine;
}

/** The payload of a snapshot, as its reader gives it. */
export function read(store: SnapshotStore, index: number): Buffer | undefined {
  const reader = store.openReader(index);
  if (reader === undefined) return undefined;
  const chunks: Uint8Array[] = [];
  for (let chunk = reader.next(); chunk !== undefined; chunk = reader.next()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export function indexes(store: SnapshotStore): number[] {
  return store.list().map(({ index }) => index);
}

/** What a leader would send: the bytes of a whole file, and what it says of them. */
export interface Source {
  readonly offer: SnapshotOffer;
  readonly bytes: Buffer;
}

export function sourceOf(index: number, bytes = 250): Source {
  const file = written([index], bytes).bytesOf(index);
  return { offer: { index, term: 1, bytes: file.length }, bytes: file };
}

/** Sends what is missing, in pieces, and finishes. */
export function send(
  receipt: SnapshotReceipt,
  source: Source,
  done: (error: SnapshotError | undefined) => void,
  pieceBytes = 70,
): void {
  const { offset } = receipt;
  if (offset === source.bytes.length) {
    receipt.finish(done);
    return;
  }
  receipt.append(source.bytes.subarray(offset, offset + pieceBytes), (error) => {
    if (error === undefined) send(receipt, source, done, pieceBytes);
    else done(error);
  });
}
