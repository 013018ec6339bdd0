/**
 * A look at a database's file before LMDB has one: what is no database ends the process as it is
 * opened, and what was cut short as it is read.
 *
 *     two pages, one of them current:  at 24 u32 magic, at 28 u32 version, at 48 u32 page size
 *
 * What it says of its own length is of no use: pages that were taken and given back before they
 * were written are counted. But it never shrinks, so any length that it once had is a bound.
 */

import { readFileSync, closeSync, openSync, readSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FILE_NAME = "data.mdb";
const SIZE_NAME = "size";
const MAGIC = 0xbeefc0de;
/** Of lmdb-js: it is not that of LMDB elsewhere. */
const VERSION = 2;
const HEAD_BYTES = 64;

/** @returns what is wrong with the file; `undefined` if it may be opened, or is not there. */
export function databaseProblem(directory: string): string | undefined {
  const path = join(directory, FILE_NAME);
  const size = unlessMissing(() => statSync(path).size) ?? 0;
  const noted = Number(unlessMissing(() => readFileSync(join(directory, SIZE_NAME), "utf8")) ?? 0);
  if (size < noted) return `the database has ${size} bytes, and once had ${noted}`;
  return size === 0 || hasMetas(path) ? undefined : "the file is no database";
}

/** Notes how long the file is now. If the note is lost, so is a bound, and nothing else. */
export function noteSize(directory: string): void {
  const size = unlessMissing(() => statSync(join(directory, FILE_NAME)).size);
  if (size !== undefined) writeFileSync(join(directory, SIZE_NAME), `${size}\n`, { mode: 0o600 });
}

function hasMetas(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const [first, second] = [Buffer.alloc(HEAD_BYTES), Buffer.alloc(HEAD_BYTES)];
    readSync(file, first, 0, HEAD_BYTES, 0);
    readSync(file, second, 0, HEAD_BYTES, first.readUInt32LE(48));
    return isMeta(first) && isMeta(second);
  } finally {
    closeSync(file);
  }
}

function isMeta(head: Buffer): boolean {
  return head.readUInt32LE(24) === MAGIC && head.readUInt32LE(28) === VERSION;
}

function unlessMissing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
