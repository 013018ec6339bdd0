/** Tables in LMDB whose disk is as far behind as a test says. */

import type {
  Checkpoint,
  CheckpointCut,
  CheckpointInit,
  CheckpointPosition,
} from "@quorumlog/replica";
import type { LmdbTables } from "../../src/index.ts";

export class LaggingCheckpoint implements Checkpoint {
  lagBytes = 0;
  readonly #tables: LmdbTables;

  constructor(tables: LmdbTables) {
    this.#tables = tables;
  }

  get changedBytes(): number {
    return this.#tables.changedBytes;
  }

  get pendingBytes(): number {
    return this.#tables.pendingBytes + this.lagBytes;
  }

  get isWhole(): boolean {
    return this.#tables.isWhole;
  }

  open(init: CheckpointInit): CheckpointPosition | undefined {
    return this.#tables.open(init);
  }

  load(): ReadonlyMap<string, Uint8Array> | undefined {
    return this.#tables.load();
  }

  cut(cut: CheckpointCut): void {
    this.#tables.cut(cut);
  }

  close(onClosed: () => void): void {
    this.#tables.close(onClosed);
  }
}
