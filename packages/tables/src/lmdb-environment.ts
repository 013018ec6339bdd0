/**
 * The database of a checkpoint: all that is known of lmdb-js is in here.
 *
 *     meta      one row: what the checkpoint says of itself
 *     rows-0    rows, of which one generation counts, as that row says
 *     rows-1    the other one: empty, or being filled
 *
 * A commit is two barriers: the pages are synced, then the page that leads to them is written and
 * synced (`overlappingSync: false`). With lmdb-js's default, a transaction could be read before it
 * is on the disk, and a failed sync would be found by nobody.
 */

import { CheckpointError } from "@quorumlog/replica";
import { InvariantViolation } from "@quorumlog/std";
import type { Generation } from "./checkpoint-record.ts";
import { databaseProblem, noteSize } from "./database-file.ts";
import type { LmdbDatabase, LmdbRoot, OpenEnvironment } from "./lmdb-api.ts";

/** What is to be stored; without a value, removed. */
export interface StoredRow {
  readonly key: Buffer;
  readonly value: Buffer | undefined;
}

const BINARY = { encoding: "binary", keyEncoding: "binary" } as const;
const RECORD_KEY = Buffer.from("record");
const DATABASE_COUNT = 3;
const CAUSE_WAIT_MS = 50;

export class LmdbEnvironment {
  readonly #directory: string;
  readonly #root: LmdbRoot;
  readonly #meta: LmdbDatabase;
  readonly #rows: readonly [LmdbDatabase, LmdbDatabase];

  /**
   * @throws CheckpointError `CHECKPOINT_CORRUPT` if it is no database, or not a whole one;
   *   `CHECKPOINT_FAILED` if the system has refused something.
   */
  constructor(directory: string, openEnvironment: OpenEnvironment) {
    this.#directory = directory;
    const problem = databaseProblem(directory);
    if (problem !== undefined)
      throw new CheckpointError("CHECKPOINT_CORRUPT", problem, { file: directory });
    this.#root = this.#read(() => {
      return openEnvironment({
        path: directory,
        maxDbs: DATABASE_COUNT,
        overlappingSync: false,
        // Else a failed commit also rejects a promise that is given to nobody.
        eventTurnBatching: false,
      });
    });
    try {
      const database = (name: string): LmdbDatabase => this.#root.openDB({ name, ...BINARY });
      this.#meta = this.#read(() => database("meta"));
      this.#rows = this.#read(() => [database("rows-0"), database("rows-1")]);
    } catch (error) {
      this.#root.close().catch(() => undefined);
      throw error;
    }
    noteSize(directory);
  }

  /** @throws CheckpointError `CHECKPOINT_CORRUPT` */
  record(): Buffer | undefined {
    return this.#read(() => this.#meta.get(RECORD_KEY));
  }

  /**
   * Calls `take` with each row that is stored, in the order of keys.
   *
   * @throws CheckpointError `CHECKPOINT_CORRUPT`
   */
  each(generation: Generation, take: (key: Buffer, value: Buffer) => void): void {
    this.#read(() => {
      for (const { key, value } of this.#rows[generation].getRange()) take(key, value);
    });
  }

  isEmpty(generation: Generation): boolean {
    return [...this.#rows[generation].getKeys({ limit: 1 })].length === 0;
  }

  /**
   * Changes rows, and the record if there is one: all of that or nothing, on the disk when the
   * promise is settled. Call it again only then: what came behind a failed one could succeed.
   */
  async write(
    generation: Generation,
    rows: Iterable<StoredRow>,
    record: Buffer | undefined,
  ): Promise<void> {
    const database = this.#rows[generation];
    const promises = new Set<Promise<unknown>>();
    const all = this.#meta.batch(() => {
      for (const { key, value } of rows)
        promises.add(value === undefined ? database.remove(key) : database.put(key, value));
      if (record !== undefined) promises.add(this.#meta.put(RECORD_KEY, record));
    });
    await settled(promises.add(all));
  }

  /** Removes all rows. */
  async clear(generation: Generation): Promise<void> {
    if (!this.isEmpty(generation)) await settled([this.#rows[generation].clearAsync()]);
  }

  async close(): Promise<void> {
    await this.#root.close();
    noteSize(this.#directory);
  }

  #read<T>(run: () => T): T {
    try {
      return run();
    } catch (cause) {
      if (cause instanceof CheckpointError || cause instanceof InvariantViolation) throw cause;
      const { message: what, code } = cause as {
        readonly message?: string;
        readonly code?: unknown;
      };
      const message = `the database cannot be read: ${what}`;
      const details = { file: this.#directory, cause };
      // Those of the system are numbers above 0; the database's own are below.
      const isSystem = typeof code === "number" && code > 0;
      throw new CheckpointError(
        isSystem ? "CHECKPOINT_FAILED" : "CHECKPOINT_CORRUPT",
        message,
        details,
      );
    }
  }
}

/** A failed commit may reject the promises of all its changes, and each wants to be heeded. */
async function settled(promises: Iterable<Promise<unknown>>): Promise<void> {
  const outcomes = await Promise.allSettled(promises);
  for (const outcome of outcomes)
    if (outcome.status === "rejected") throw await causeOf(outcome.reason);
}

/** What lmdb-js says of a failed commit comes by yet another promise, or does not come. */
function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { readonly commitError?: Promise<unknown> };
  if (commitError === undefined) return Promise.resolve(error);
  const told = commitError.then(
    () => error,
    (cause: unknown) => cause,
  );
  const waited = new Promise<unknown>((resolve) => {
    setTimeout(resolve, CAUSE_WAIT_MS, error);
  });
  return Promise.race([told, waited]);
}
