/** Opens databases of lmdb-js itself, of which one transaction is refused: as a full disk would. */

import { type LmdbDatabase, type OpenEnvironment, openLmdb } from "../../src/lmdb-api.ts";

export class FailingOpen {
  /** Of all databases that it has opened. */
  batchCount = 0;
  readonly #failing: number;

  /** @param failing - The number of the transaction that fails, from 1 on. */
  constructor(failing: number) {
    this.#failing = failing;
  }

  readonly open: OpenEnvironment = (options) => {
    const root = openLmdb(options);
    const openDB = root.openDB.bind(root);
    root.openDB = (init) => this.#watched(openDB(init));
    return root;
  };

  #watched(database: LmdbDatabase): LmdbDatabase {
    const batch = database.batch.bind(database);
    database.batch = (run) => {
      this.batchCount += 1;
      if (this.batchCount !== this.#failing) return batch(run);
      return Promise.reject(new Error("Input/output error: Commit failed"));
    };
    return database;
  }
}
