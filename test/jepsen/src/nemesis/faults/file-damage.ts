/** Damage of files, as disks do it: bits flip, ends are missing, old contents are back. */

import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { basename, join } from "node:path";
import type { Prng } from "@quorumlog/std";

/** Chunks of files as they were at some moment. */
export type OldChunks = ReadonlyMap<string, ReadonlyMap<number, Buffer>>;

const CHUNK_BYTES = 4096;
/** Of a file; the newest ones, and some others. */
const CHUNKS_KEPT_MAX = 64;
const FLIPS = 2;
const LOG_SHARE = 0.7;
/** Of processes, and of what a power loss takes away. */
const SPARED = /^(?:lock|lock\.mdb|\.unsynced-.*|opening)$/u;

/** Everything that a node has written, but for locks. */
export function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !SPARED.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => statSync(path).size > 0)
    .toSorted();
}

/** Mostly of the log. */
export function pickFile(files: readonly string[], prng: Prng): string {
  const logs = files.filter((path) => path.endsWith(".log"));
  return prng.pick(logs.length > 0 && prng.chance(LOG_SHARE) ? logs : files);
}

/** Of what was written. @returns what was done, in words. */
export function flipBits(path: string, prng: Prng): string {
  const size = writtenBytes(path);
  const fd = openSync(path, "r+");
  const places: number[] = [];
  const byte = Buffer.alloc(1);
  for (let i = 0; i < FLIPS; i++) {
    const position = prng.below(size);
    readSync(fd, byte, 0, 1, position);
    byte.writeUInt8(byte.readUInt8(0) ^ (1 << prng.below(8)), 0);
    writeSync(fd, byte, 0, 1, position);
    places.push(position);
  }
  closeSync(fd);
  return `bits of bytes ${places.join(" and ")} of ${basename(path)} flipped`;
}

/**
 * Little is more likely than much; of room that was made ahead, or of what was written.
 *
 * @returns what was done, in words.
 */
export function truncate(path: string, prng: Prng): string {
  const size = prng.chance(0.5) ? writtenBytes(path) : statSync(path).size;
  const lost = Math.max(1, Math.floor(size ** prng.fraction()));
  truncateSync(path, size - lost);
  return `${basename(path)} cut by ${lost} to ${size - lost} bytes`;
}

/** Up to the last byte that is not zero; at least 1. */
function writtenBytes(path: string): number {
  const bytes = readFileSync(path);
  let end = bytes.byteLength;
  while (end > 1 && bytes[end - 1] === 0) end -= 1;
  return end;
}

/** Of files that may change until later. */
export function keepChunks(files: readonly string[], prng: Prng): OldChunks {
  const kept = new Map<string, Map<number, Buffer>>();
  for (const path of files) {
    const chunks = new Map<number, Buffer>();
    const fd = openSync(path, "r");
    const count = Math.ceil(fstatSync(fd).size / CHUNK_BYTES);
    for (let i = 0; i < Math.min(count, CHUNKS_KEPT_MAX); i++) {
      const number = count <= CHUNKS_KEPT_MAX ? i : prng.below(count);
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const length = readSync(fd, chunk, 0, CHUNK_BYTES, number * CHUNK_BYTES);
      chunks.set(number, chunk.subarray(0, length));
    }
    closeSync(fd);
    kept.set(path, chunks);
  }
  return kept;
}

/** @returns what was done, in words; `undefined` if nothing has changed since then. */
export function restoreChunk(path: string, old: OldChunks, prng: Prng): string | undefined {
  const fd = openSync(path, "r+");
  try {
    const now = Buffer.alloc(CHUNK_BYTES);
    for (const [number, chunk] of prng.shuffle([...(old.get(path) ?? [])])) {
      const length = readSync(fd, now, 0, chunk.byteLength, number * CHUNK_BYTES);
      if (length < chunk.byteLength || now.subarray(0, length).equals(chunk)) continue;
      writeSync(fd, chunk, 0, chunk.byteLength, number * CHUNK_BYTES);
      return `chunk ${number} of ${basename(path)} as it was before`;
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
}
