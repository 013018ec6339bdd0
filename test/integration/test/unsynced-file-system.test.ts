// Goal: on this disk `kill -9` is power loss: what was not synced is gone, and nothing else is.
// Method: forget the file system in the middle of things, and look with another one, as the next
// life of a process would.

import { Prng } from "@quorumlog/std";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { UnsyncedFileSystem } from "../src/unsynced-file-system.ts";

function directoryForTest(): string {
  const directory = mkdtempSync(join(tmpdir(), "quorumlog-unsynced-"));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

function newLife(seed = 1): UnsyncedFileSystem {
  return new UnsyncedFileSystem({ prng: new Prng(seed) });
}

function contents(disk: UnsyncedFileSystem, path: string): string {
  const file = disk.open(path, "read");
  const bytes = Buffer.alloc(file.size());
  expect(file.readNow(bytes, 0)).toBe(bytes.length);
  file.close();
  return bytes.toString();
}

/** A file that is there, whatever happens. */
function makeFile(disk: UnsyncedFileSystem, path: string, text: string): void {
  const file = disk.create(path);
  file.writeNow(Buffer.from(text), 0);
  file.syncNow();
  file.close();
  disk.syncDirectory(join(path, ".."));
}

function done(run: (done: (error: Error | undefined) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    run((error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
  });
}

test("bytes are read at once, and there after a power loss once they are synced", async () => {
  const directory = directoryForTest();
  const path = join(directory, "a");
  const disk = newLife();
  makeFile(disk, path, "0123456789");

  const file = disk.open(path, "readWrite");
  await done((onDone) => {
    file.write([Buffer.from("ab"), Buffer.from("cd")], 3, onDone);
  });
  file.close();

  expect(contents(disk, path)).toBe("012abcd789");
  expect(contents(newLife(), path)).toBe("0123456789");
  const again = disk.open(path, "readWrite");
  const synced = done((onDone) => {
    again.sync(onDone);
  });
  again.writeNow(Buffer.from("late"), 12);
  await synced;
  expect(contents(disk, path)).toBe("012abcd789\0\0late");
  expect(contents(newLife(), path)).toBe("012abcd789");
});

test("syncs of one file end in their order, each with what was written before it", async () => {
  const directory = directoryForTest();
  const path = join(directory, "a");
  const disk = newLife();
  makeFile(disk, path, "");
  const file = disk.open(path, "readWrite");
  const seen: string[] = [];
  const syncs = ["a", "b", "c"].map((text, i) => {
    file.writeNow(Buffer.from(text), i);
    return done((onDone) => {
      file.sync(onDone);
    }).then(() => seen.push(contents(newLife(), path).slice(0, i + 1)));
  });
  await Promise.all(syncs);

  expect(seen).toEqual(["a", "ab", "abc"]);
});

test("names are there after a power loss once their directory is synced", async () => {
  const directory = directoryForTest();
  const [a, b, c] = ["a", "b", "c"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  const disk = newLife();
  makeFile(disk, a, "a");
  makeFile(disk, b, "b");

  disk.remove(a);
  disk.rename(b, a);
  disk.create(c).close();

  expect(disk.list(directory)).toEqual(["a", "c"]);
  expect(contents(disk, a)).toBe("b");
  expect(newLife().list(directory)).toEqual(["a", "b"]);
  expect(contents(newLife(), a)).toBe("a");
  const other = directoryForTest();
  const again = newLife();
  makeFile(again, join(other, "a"), "a");
  again.rename(join(other, "a"), join(other, "b"));
  await done((onDone) => {
    again.syncDirectoryLater(other, onDone);
  });
  expect(newLife().list(other)).toEqual(["b"]);
});

test("what a power loss has left of files without a name is removed", () => {
  const directory = directoryForTest();
  const file = newLife().create(join(directory, "a"));
  file.writeNow(Buffer.from("x"), 0);
  file.syncNow();

  expect(readdirSync(directory)).toHaveLength(1);
  expect(newLife().list(directory)).toEqual([]);
  expect(readdirSync(directory)).toEqual([]);
});

test("some of what is not synced leaks, by whole sectors, and reads the same", () => {
  const directory = directoryForTest();
  const path = join(directory, "a");
  const disk = newLife(2);
  makeFile(disk, path, ".".repeat(8_192));
  const file = disk.open(path, "readWrite");
  file.writeNow(Buffer.alloc(8_192, "x"), 0);

  disk.leak();
  disk.leak();

  expect(contents(disk, path)).toBe("x".repeat(8_192));
  const sectors = contents(newLife(), path).match(/.{512}/gu) ?? [];
  expect(new Set(sectors)).toEqual(new Set([".".repeat(512), "x".repeat(512)]));
});

test("a sync that is asked for by the answer to another one loses nothing", async () => {
  const directory = directoryForTest();
  const path = join(directory, "a");
  const disk = newLife();
  makeFile(disk, path, "");
  const file = disk.open(path, "readWrite");
  file.writeNow(Buffer.from("first "), 0);

  await done((onDone) => {
    file.sync(() => {
      file.writeNow(Buffer.from("second "), 6);
      file.sync(onDone);
      file.writeNow(Buffer.from("third"), 13);
    });
  });
  // Whatever is still under way comes to its end.
  await new Promise((resolve) => setTimeout(resolve, 20));
  await done((onDone) => {
    file.sync(onDone);
  });

  expect(contents(newLife(), path)).toBe("first second third");
});

test("a leak does not overwrite what a sync writes at the same time", async () => {
  const directory = directoryForTest();
  const path = join(directory, "a");
  const disk = newLife();
  makeFile(disk, path, "");
  const file = disk.open(path, "readWrite");
  for (let round = 1; round <= 20; round++) {
    file.writeNow(Buffer.alloc(10_000), 0);
    file.writeNow(Buffer.alloc(1_000, round), 0);
    const state = { isOver: false };
    const synced = done((onDone) => {
      file.sync(onDone);
    }).finally(() => {
      state.isOver = true;
    });
    while (!state.isOver) {
      // The kernel writes meanwhile, and this thread has not heard of it.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      disk.leak();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await synced;
    expect(contents(newLife(), path).slice(0, 1_000)).toBe(
      String.fromCharCode(round).repeat(1_000),
    );
  }
});
