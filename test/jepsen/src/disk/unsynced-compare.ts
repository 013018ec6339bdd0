/** How much of what a file system shows is not on the disk beneath it, byte by byte. */

import { closeSync, type Dirent, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";

const CHUNK_BYTES = 256 * 1024;
/** Of a process that runs, and nothing behind its end: who has the folder, who reads the tables. */
const FLEETING = /^(?:lock(?:\..*)?|.*\.stale)$/u;

/** @returns how many bytes of files differ, or are in one of both alone. */
export function countUnsynced(shown: string, beneath: string): number {
  let count = 0;
  for (const entry of entriesOf(shown)) {
    const here = join(shown, entry.name);
    const there = join(beneath, entry.name);
    if (entry.isDirectory()) count += countUnsynced(here, there);
    else if (entry.isFile() && !FLEETING.test(entry.name)) count += countDifferent(here, there);
  }
  return count;
}

function countDifferent(here: string, there: string): number {
  const files = [here, there].map((path) => opened(path));
  const chunks = [Buffer.alloc(CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES)] as const;
  let count = 0;
  try {
    for (let position = 0; ; position += CHUNK_BYTES) {
      const [a, b] = chunks.map((chunk, i) => {
        const fd = files[i];
        return fd === undefined ? chunk.subarray(0, 0) : filled(fd, chunk, position);
      });
      if (a === undefined || b === undefined || a.length + b.length === 0) return count;
      count += differences(a, b);
    }
  } finally {
    for (const fd of files) if (fd !== undefined) closeSync(fd);
  }
}

function filled(fd: number, chunk: Buffer, position: number): Buffer {
  let length = 0;
  while (length < chunk.length) {
    const count = readSync(fd, chunk, length, chunk.length - length, position + length);
    if (count === 0) break;
    length += count;
  }
  return chunk.subarray(0, length);
}

function differences(a: Buffer, b: Buffer): number {
  if (a.equals(b)) return 0;
  const common = Math.min(a.length, b.length);
  let count = Math.max(a.length, b.length) - common;
  for (let i = 0; i < common; i++) if (a[i] !== b[i]) count += 1;
  return count;
}

/** @returns `undefined` if it has gone meanwhile. */
function opened(path: string): number | undefined {
  return unlessMissing(() => openSync(path, "r"));
}

function entriesOf(path: string): readonly Dirent[] {
  return unlessMissing(() => readdirSync(path, { withFileTypes: true })) ?? [];
}

function unlessMissing<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
