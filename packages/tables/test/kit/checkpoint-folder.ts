/** A folder for checkpoints, and tables that are opened in it again and again. */

import type { CheckpointError, CheckpointInit, CheckpointPosition } from "@quorumlog/replica";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { LmdbTables, type LmdbTablesOptions } from "../../src/index.ts";
import { NAMES } from "./table-contract.ts";

const IDENTITY = { clusterId: "test", groupId: 0, nodeId: 1, incarnation: 7 };

export function position(index: number): CheckpointPosition {
  return { index, term: 1, configuration: Buffer.from([index]) };
}

export class OpenedTables {
  readonly tables: LmdbTables;
  readonly position: CheckpointPosition | undefined;
  readonly damages: CheckpointError[] = [];
  readonly failures: CheckpointError[] = [];
  #onDurable: () => void = () => undefined;

  constructor(
    directory: string,
    init: Partial<CheckpointInit> & LmdbTablesOptions & { readonly names?: readonly string[] } = {},
  ) {
    const { names = NAMES, openEnvironment, ...others } = init;
    this.tables = new LmdbTables(names, openEnvironment === undefined ? {} : { openEnvironment });
    this.position = this.tables.open({
      directory,
      ...IDENTITY,
      onDurable: () => {
        this.#onDurable();
      },
      onDamaged: (error) => this.damages.push(error),
      onFailure: (error) => this.failures.push(error),
      ...others,
    });
  }

  /** Cuts, with a row of the replica's own. */
  cut(index: number): void {
    const value = Buffer.from(`applied ${index}`);
    this.tables.cut({ position: position(index), rows: [{ key: "group", value }] });
  }

  /** Until the next cut is on the disk. */
  durable(): Promise<void> {
    return new Promise((resolve) => {
      this.#onDurable = resolve;
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.tables.close(resolve);
    });
  }
}

export class CheckpointFolder {
  readonly directory: string = mkdtempSync(join(tmpdir(), "quorumlog-tables-"));

  constructor() {
    onTestFinished(() => {
      rmSync(this.directory, { recursive: true, force: true });
    });
  }

  get file(): string {
    return join(this.directory, "tables", "data.mdb");
  }

  /** Forgets that a commit has failed, for a look at what it has left. */
  absolve(): void {
    rmSync(join(this.directory, "tables", "opening"));
  }

  open(init: ConstructorParameters<typeof OpenedTables>[1] = {}): OpenedTables {
    const opened = new OpenedTables(this.directory, init);
    onTestFinished(() => opened.close());
    return opened;
  }
}
