/** What a suite has done so far, in a file: one that was cut goes on behind it. */

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { demandShape, RunFolderError } from "../run/line-shape.ts";
import type { SuiteCell } from "./suite-cell.ts";
import type { SuiteStep } from "./suite-plan.ts";

/** What has to be the same for a suite to go on. */
export interface SuiteIdentity {
  readonly timeLimitS: number;
  readonly nodeCount: number;
  readonly seed: number;
  readonly rate: number | null;
  readonly net: string;
}

interface State {
  readonly identity: SuiteIdentity;
  readonly isComplete: boolean;
  readonly cells: readonly SuiteCell[];
}

const STATE_SHAPES = { identity: "object", isComplete: "boolean", cells: "list" } as const;

export class SuiteState {
  readonly folder: string;
  readonly #path: string;
  readonly #identity: SuiteIdentity;
  #cells: SuiteCell[];

  /**
   * Goes on with what is in the folder; or begins anew, if that has come to its end.
   *
   * @throws RunFolderError if it is of a suite with other options
   */
  constructor(folder: string, identity: SuiteIdentity) {
    this.folder = folder;
    this.#path = join(folder, "suite.json");
    this.#identity = identity;
    const former = readState(this.#path);
    if (former !== undefined && !former.isComplete && !isSame(former.identity, identity))
      throw new RunFolderError(
        `${this.#path} is of a suite with ${JSON.stringify(former.identity)} that was cut: ` +
          "go on with these, or remove the folder",
      );
    this.#cells = former === undefined || former.isComplete ? [] : [...former.cells];
    if (this.#cells.length === 0) rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }

  get cells(): readonly SuiteCell[] {
    return this.#cells;
  }

  /** All its workloads have been run under its fault. */
  isDone({ fault, workloads }: SuiteStep): boolean {
    return workloads.every((workload) =>
      this.#cells.some((cell) => cell.fault === fault && cell.workload === workload),
    );
  }

  add(cells: readonly SuiteCell[]): void {
    this.#cells.push(...cells);
    this.#write(false);
  }

  complete(): void {
    this.#write(true);
  }

  #write(isComplete: boolean): void {
    const state: State = { identity: this.#identity, isComplete, cells: this.#cells };
    const draft = `${this.#path}.new`;
    writeFileSync(draft, `${JSON.stringify(state, null, 2)}\n`);
    renameSync(draft, this.#path);
  }
}

function readState(path: string): State | undefined {
  if (!existsSync(path)) return undefined;
  let read: unknown;
  try {
    read = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new RunFolderError(`${path}: this is no JSON`, { cause });
  }
  return demandShape<State>(read, STATE_SHAPES, path);
}

function isSame(a: SuiteIdentity, b: SuiteIdentity): boolean {
  return (["timeLimitS", "nodeCount", "seed", "rate", "net"] as const).every(
    (field) => a[field] === b[field],
  );
}
