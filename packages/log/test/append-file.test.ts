// Goal: what is appended past the cache of the system is the file's, byte by byte, whatever its
// lengths and places are, and nothing before it changes.
// Method: random appends to a real file, beside a copy in memory that takes the same bytes; the
// file is read through the cache after each. The same with the cache alone.

import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Prng } from "@quorumlog/std";
import { describe, expect, onTestFinished, test } from "vitest";
import { cachedFileSystem, nodeFileSystem, type OpenFile } from "../src/index.ts";

const BLOCK_BYTES = 4_096;
const AHEAD_BYTES = 128 * 1_024;
const FILE_BYTES = 8 << 20;
const { O_DIRECT, O_DSYNC } = constants;

function newPath(): string {
  const directory = mkdtempSync(join(tmpdir(), "quorumlog-append-"));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return join(directory, "file");
}

function appendSynced(
  file: OpenFile,
  parts: readonly Uint8Array[],
  position: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    file.appendSynced(parts, position, (error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
  });
}

function append(file: OpenFile, parts: readonly Uint8Array[], position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    file.append(parts, position, (error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
  });
}

/** What `file` is to hold: the log's part of it, and old bytes or zeros behind. */
class Expected {
  readonly bytes: Buffer;
  end = 0;

  constructor(before: Buffer) {
    this.bytes = before;
  }

  put(parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      this.bytes.set(part, this.end);
      this.end += part.length;
    }
  }

  /** Up to the next block there may be zeros: behind it nothing has changed. */
  demandSame(file: OpenFile): void {
    const found = Buffer.alloc(FILE_BYTES);
    expect(file.readNow(found, 0)).toBe(FILE_BYTES);
    const nextBlock = Math.ceil(this.end / BLOCK_BYTES) * BLOCK_BYTES;
    expect(Buffer.compare(found.subarray(0, this.end), this.bytes.subarray(0, this.end))).toBe(0);
    expect(Buffer.compare(found.subarray(nextBlock), this.bytes.subarray(nextBlock))).toBe(0);
  }
}

function randomBytes(prng: Prng, count: number): Buffer {
  return Buffer.alloc(count, `${prng.below(1e9)},`);
}

/** From one byte to more than what one write takes, in parts of any length. */
function randomParts(prng: Prng): Buffer[] {
  const most = prng.pick([10, 5_000, 200_000, 1_500_000]);
  return Array.from({ length: 1 + prng.below(4) }, () =>
    randomBytes(prng, Math.floor(prng.below(most) / 4)),
  );
}

/** Whether files of the temporary directory can be: in memory they may not. */
function isDirectHere(): boolean {
  if (process.platform !== "linux") return false;
  const directory = mkdtempSync(join(tmpdir(), "quorumlog-append-"));
  try {
    closeSync(openSync(join(directory, "file"), constants.O_CREAT | constants.O_WRONLY | O_DIRECT));
    return true;
  } catch {
    return false;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** How often this process has the file open with that flag. */
function openCount(path: string, flag: number): number {
  const hasFlag = (fd: string): boolean => {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`) !== path) return false;
      const info = readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
      const flags = Number.parseInt(
        /flags:\s+(?<octal>\d+)/u.exec(info)?.groups?.["octal"] ?? "0",
        8,
      );
      return (flags & flag) !== 0;
    } catch {
      // Closed meanwhile: it was the one of the list itself.
      return false;
    }
  };
  return readdirSync("/proc/self/fd").filter(hasFlag).length;
}

describe.each([
  { name: "direct", fileSystem: nodeFileSystem },
  { name: "cached", fileSystem: cachedFileSystem },
])("appends, $name", ({ fileSystem }) => {
  test.each([1, 2, 3, 4, 5, 6])("keep what is there and add what is new, seed %i", async (seed) => {
    const prng = new Prng(seed);
    const path = newPath();
    const before = randomBytes(prng, FILE_BYTES);
    let file = fileSystem.create(path);
    file.writeNow(before, 0);
    const expected = new Expected(before);

    for (let parts = randomParts(prng); ; parts = randomParts(prng)) {
      const bytes = parts.reduce((sum, part) => sum + part.length, 0);
      if (expected.end + bytes > FILE_BYTES) break;
      await (prng.chance(0.5) ? append : appendSynced)(file, parts, expected.end);
      expected.put(parts);
      expected.demandSame(file);
      if (prng.chance(0.2)) {
        file.close();
        file = fileSystem.open(path, "readWrite");
      }
      if (prng.chance(0.2)) {
        // As a header is written, or a trailer: through the cache, at any place before or behind.
        const change = randomBytes(prng, 1 + prng.below(100));
        const at = prng.below(FILE_BYTES - change.length);
        file.writeNow(change, at);
        expected.bytes.set(change, at);
      }
    }

    expect(file.size()).toBe(FILE_BYTES);
    file.close();
  });

  test("make an empty file as long as they are, in whole blocks", async () => {
    const path = newPath();
    const file = fileSystem.create(path);

    await append(file, [Buffer.alloc(BLOCK_BYTES + 1, 7)], 0);

    expect(Math.ceil(file.size() / BLOCK_BYTES)).toBe(2);
    expect(readFileSync(path).subarray(0, BLOCK_BYTES + 1)).toEqual(
      Buffer.alloc(BLOCK_BYTES + 1, 7),
    );
    file.close();
  });
});

describe.runIf(isDirectHere())("past the cache", () => {
  test("appends are what they are said to be", async () => {
    const file = nodeFileSystem.create(newPath());

    await append(file, [Buffer.alloc(10)], 0);

    // The other one is for what is to be synced.
    expect(openCount(file.path, O_DIRECT)).toBe(2);
    file.close();
  });

  test("what is to be synced is so by the write itself", async () => {
    const file = nodeFileSystem.create(newPath());

    await appendSynced(file, [Buffer.alloc(10)], 0);

    expect(openCount(file.path, O_DSYNC)).toBe(1);
    file.close();
  });

  test("a file that is written to otherwise keeps none of that open", async () => {
    const file = nodeFileSystem.create(newPath());
    await append(file, [Buffer.alloc(10)], 0);
    await appendSynced(file, [Buffer.alloc(10)], 10);

    file.writeNow(Buffer.alloc(10), 100);

    expect(openCount(file.path, O_DIRECT)).toBe(0);
    file.close();
  });

  test("small appends to a file with holes bring blocks for those that follow", async () => {
    const path = newPath();
    const file = nodeFileSystem.create(path);
    file.writeNow(Buffer.of(0), FILE_BYTES - 1);
    const usedBytes = (): number => statSync(path).blocks * 512;
    const parts = [Buffer.alloc(1_100, 7)];
    const expected = new Expected(Buffer.alloc(FILE_BYTES));
    const used: number[] = [];

    // Into the second of those stretches, and then to the end of the file.
    for (; expected.end < 1.5 * AHEAD_BYTES; used.push(usedBytes())) {
      await appendSynced(file, parts, expected.end);
      expected.put(parts);
    }
    expected.demandSame(file);
    const most = [randomBytes(new Prng(1), FILE_BYTES - expected.end - 5_000)];
    await append(file, most, expected.end);
    expected.put(most);
    await appendSynced(file, parts, expected.end);
    expected.put(parts);

    // The last block of the file has its one byte.
    expect([...new Set(used)]).toEqual([1, 2].map((n) => n * AHEAD_BYTES + BLOCK_BYTES));
    expected.demandSame(file);
    expect(file.size()).toBe(FILE_BYTES);
    file.close();
  });

  test("nothing is appended behind a gap", async () => {
    const file = nodeFileSystem.create(newPath());
    file.writeNow(Buffer.alloc(10), 0);

    await expect(append(file, [Buffer.alloc(10)], 20)).rejects.toThrow("before what it holds");

    file.close();
  });
});

describe.each([
  { name: "direct", fileSystem: nodeFileSystem },
  { name: "cached", fileSystem: cachedFileSystem },
])("a file that is closed while it is appended to, $name,", ({ fileSystem }) => {
  test.each([
    ["written", append],
    ["written and synced", appendSynced],
  ])("is let go of when all is %s", async (_name, begin) => {
    const path = newPath();
    const file = fileSystem.create(path);
    const done = begin(file, [Buffer.alloc(100_000, 1)], 0);
    file.close();

    await done;

    expect(readFileSync(path).subarray(0, 100_000)).toEqual(Buffer.alloc(100_000, 1));
    expect(readdirSync("/proc/self/fd").map(linkOf)).not.toContain(path);
  });
});

test("many files that are appended to at once wait for memory, and all are written", async () => {
  const files = Array.from({ length: 30 }, () => nodeFileSystem.create(newPath()));

  await Promise.all(files.map((file, i) => append(file, [Buffer.alloc(50_000, i)], 0)));

  for (const [i, file] of files.entries()) {
    expect(readFileSync(file.path).subarray(0, 50_000)).toEqual(Buffer.alloc(50_000, i));
    file.close();
  }
});

test("what cannot be written past the cache is written through it", async () => {
  // No disk stands behind it: it refuses to be opened for that.
  const file = nodeFileSystem.open("/dev/null", "readWrite");

  await append(file, [Buffer.alloc(10)], 0);

  expect(openCount("/dev/null", O_DIRECT)).toBe(0);
  file.close();
});

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}
