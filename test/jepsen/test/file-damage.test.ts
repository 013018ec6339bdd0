// Goal: files are damaged as it is told, and those that belong to a process are not.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Prng } from "@quorumlog/std";
import { expect, onTestFinished, test } from "vitest";
import {
  filesOf,
  flipBits,
  keepChunks,
  restoreChunk,
  truncate,
} from "../src/nemesis/faults/file-damage.ts";

const SIZE = 20_000;

/** @returns a file full of ones, in a folder of its own. */
function fileOfOnes(): string {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-damage-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const path = join(folder, "1.log");
  writeFileSync(path, Buffer.alloc(SIZE, 1));
  return path;
}

test("two bits are others than before", () => {
  const path = fileOfOnes();

  const words = flipBits(path, new Prng(1));

  const bytes = readFileSync(path);
  const changed = [...bytes.keys()].filter((i) => bytes[i] !== 1);
  expect([bytes.byteLength, changed.length]).toEqual([SIZE, 2]);
  for (const position of changed) expect(words).toContain(String(position));
});

test("room that was made ahead is left alone by bits that flip", () => {
  const path = fileOfOnes();
  writeFileSync(path, Buffer.concat([Buffer.alloc(10, 1), Buffer.alloc(SIZE)]));

  flipBits(path, new Prng(1));

  expect([...readFileSync(path).subarray(10)].every((byte) => byte === 0)).toBe(true);
});

test("an end is missing, never all of it and never nothing", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const path = fileOfOnes();
    truncate(path, new Prng(seed));
    const { byteLength } = readFileSync(path);
    expect(byteLength).toBeGreaterThanOrEqual(0);
    expect(byteLength).toBeLessThan(SIZE);
  }
});

test("a chunk is as it was, if it has changed since", () => {
  const path = fileOfOnes();
  const old = keepChunks([path], new Prng(1));
  expect(restoreChunk(path, old, new Prng(1))).toBeUndefined();
  const now = Buffer.alloc(SIZE, 1);
  now.fill(2, 4096, 8192);
  writeFileSync(path, now);

  expect(restoreChunk(path, old, new Prng(1))).toBe("chunk 1 of 1.log as it was before");
  expect(readFileSync(path).equals(Buffer.alloc(SIZE, 1))).toBe(true);
});

test("locks, empty files and what a power loss takes away are no files of a node", () => {
  const folder = join(fileOfOnes(), "..");
  mkdirSync(join(folder, "tables"));
  for (const name of ["lock", "tables/lock.mdb", "tables/data.mdb", ".unsynced-1-0"])
    writeFileSync(join(folder, name), "x");
  writeFileSync(join(folder, "empty"), "");

  expect(filesOf(folder).map((path) => basename(path))).toEqual(["1.log", "data.mdb"]);
});
