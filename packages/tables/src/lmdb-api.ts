/**
 * What is used of lmdb-js, in types of our own: its own ones do not pass in a module, and whoever
 * uses this package would have to skip the check of all libraries.
 */

import { open } from "lmdb";

export interface LmdbDatabase {
  get(key: Buffer): Buffer | undefined;
  /** Settled when it is on the disk. */
  put(key: Buffer, value: Buffer): Promise<boolean>;
  remove(key: Buffer): Promise<boolean>;
  /** All changes made by `run` are one transaction. */
  batch(run: () => void): Promise<boolean>;
  clearAsync(): Promise<void>;
  getRange(): Iterable<{ readonly key: Buffer; readonly value: Buffer }>;
  getKeys(range: { readonly limit: number }): Iterable<Buffer>;
}

export interface LmdbRoot {
  openDB(options: {
    readonly name: string;
    readonly encoding: "binary";
    readonly keyEncoding: "binary";
  }): LmdbDatabase;
  close(): Promise<void>;
}

/** How lmdb-js opens a database: whoever gives another one can have it fail. */
export type OpenEnvironment = (options: {
  readonly path: string;
  readonly maxDbs: number;
  readonly overlappingSync: boolean;
  readonly eventTurnBatching: boolean;
}) => LmdbRoot;

export const openLmdb: OpenEnvironment = (options) => open(options);
