// Goal: the index finds the same batches as a plain list does, whatever was written, read again,
// cut back or trimmed meanwhile.
// Method: random histories against a list; spans of a few rows, on a file system in memory.

import type { OpenFile } from "@quorumlog/log";
import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { expect, test } from "vitest";
import { QueueIndex } from "../src/queue-index/queue-index.ts";
import type { JournalRow } from "../src/queue-index/index-journal.ts";
import { type QueueKey, queueKey } from "../src/state/queue-key.ts";

const DIRECTORY = "/index";
const KEYS = [queueKey(1, 0), queueKey(1, 1), queueKey(2, 0)];

class Model {
  rows: JournalRow[] = [];
  firstLogOffset = 0;
  nextLogOffset = 0;

  of(key: QueueKey): JournalRow[] {
    return this.rows.filter((row) => row.key === key && row.logOffset >= this.firstLogOffset);
  }

  end(key: QueueKey): number {
    return this.rows.findLast((row) => row.key === key)?.endOffset ?? 0;
  }
}

function opened(fileSystem: MemoryFileSystem): QueueIndex {
  return new QueueIndex({
    fileSystem,
    directory: DIRECTORY,
    spanRowsMax: 5,
    spanRowsOfQueue: 1,
    spanKeysMax: 3,
    cacheBytesMax: 256,
    onFailure: onDefect,
  });
}

function onDefect(error: Error): void {
  throw error;
}

/** Whatever the file system had under way. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** As the log is applied again to what the files have. */
function replay(index: QueueIndex, model: Model): void {
  const end = Math.min(index.endLogOffset, model.nextLogOffset);
  index.cutBack(end);
  for (const row of model.rows) if (row.logOffset >= end) index.add(row);
  index.coverTo(model.nextLogOffset);
}

function expectEqual(index: QueueIndex, model: Model): void {
  for (const key of KEYS) {
    const rows = model.of(key);
    expect(index.range(key, 0, { bytes: Infinity })).toEqual(rows.map(rowOf));
    expect(index.firstOffset(key)).toBe(rows[0]?.baseOffset);
    for (const { baseOffset, endOffset, storeTimestamp } of rows.slice(0, 20)) {
      expect(index.range(key, endOffset - 1, { bytes: 1 })[0]?.baseOffset).toBe(baseOffset);
      const first = rows.find((row) => row.storeTimestamp >= storeTimestamp);
      expect(index.findTime(key, storeTimestamp)?.logOffset).toBe(first?.logOffset);
    }
  }
  const keyed = model.rows.filter(
    ({ keyHashes, logOffset }) => keyHashes.includes(3) && logOffset >= model.firstLogOffset,
  );
  const found = [1, 2].flatMap((topicId) => [...index.withKey(topicId, 3)].flat());
  expect(found.map(({ row }) => row.logOffset).toSorted((a, b) => a - b)).toEqual(
    keyed.map(({ logOffset }) => logOffset),
  );
}

function rowOf(row: JournalRow): unknown {
  const { baseOffset, endOffset, logOffset, storeTimestamp, bytes } = row;
  return { baseOffset, endOffset, logOffset, storeTimestamp, bytes };
}

test.each(Array.from({ length: 40 }, (_, seed) => seed))("history %i", async (seed) => {
  const prng = new Prng(seed);
  const fileSystem = new MemoryFileSystem({ prng: new Prng(seed) });
  const model = new Model();
  let index = opened(fileSystem);

  for (let step = 0; step < 120; step++) {
    const dice = prng.below(100);
    if (dice < 85) {
      const key = prng.pick(KEYS);
      const baseOffset = model.end(key);
      const row = {
        key,
        keyHashes: Array.from({ length: prng.below(3) }, (_, i) => (i === 0 ? prng.below(5) : 9)),
        baseOffset,
        endOffset: baseOffset + 1 + prng.below(4),
        logOffset: model.nextLogOffset,
        storeTimestamp: 1_000 + Math.floor(step / 3),
        bytes: 10,
      };
      index.add(row);
      model.rows.push(row);
      model.nextLogOffset += 1 + prng.below(2);
      index.coverTo(model.nextLogOffset);
    } else if (dice < 89) {
      index.flush();
      await settled();
    } else if (dice < 92) {
      model.firstLogOffset += prng.below(model.nextLogOffset - model.firstLogOffset + 1);
      index.trim(model.firstLogOffset);
    } else if (dice < 96) {
      if (dice < 94) await new Promise<void>((resolve) => index.close(resolve));
      else fileSystem.crash(dice === 94 ? "process" : "power");
      index = opened(fileSystem);
      if (dice < 94) expect(index.endLogOffset).toBe(model.nextLogOffset);
      else expect(index.endLogOffset).toBeLessThanOrEqual(model.nextLogOffset);
      replay(index, model);
      index.trim(model.firstLogOffset);
    } else {
      const to = model.firstLogOffset + prng.below(model.nextLogOffset - model.firstLogOffset + 1);
      index.cutBack(to);
      model.rows = model.rows.filter(({ logOffset }) => logOffset < to);
      model.nextLogOffset = to;
      expect(index.endLogOffset).toBe(to);
    }
    expectEqual(index, model);
  }
});

function keyedRow(logOffset: number, keyCount: number): JournalRow {
  const keyHashes = Array.from({ length: keyCount }, (_, i) => (logOffset * 7919 + i) >>> 0);
  const at = { baseOffset: logOffset, endOffset: logOffset + 1, logOffset };
  return { key: KEYS[0] as QueueKey, keyHashes, ...at, storeTimestamp: 5, bytes: 10 };
}

test("a span is full of keys long before its batches are so many", async () => {
  const fileSystem = new MemoryFileSystem({ prng: new Prng(1) });
  const index = new QueueIndex({ fileSystem, directory: DIRECTORY, onFailure: onDefect });
  const keyCount = 65_535;

  for (let at = 0; at < 12; at++) {
    index.add(keyedRow(at, keyCount));
    index.coverTo(at + 1);
    await settled();
  }

  const files = (fileSystem.list(DIRECTORY) ?? []).filter((name) => name.endsWith(".index"));
  expect(files.length).toBe(2);
  for (const at of [0, 4, 5, 11]) {
    const [hash] = keyedRow(at, keyCount).keyHashes.slice(-1);
    const found = [...index.withKey(1, hash as number)].flat().map(({ row }) => row.logOffset);
    expect(found).toContain(at);
  }
});

// Method: what took minutes when each batch looked for its keys among all.
test("a span that is full is cut back in no time", async () => {
  const fileSystem = new MemoryFileSystem({ prng: new Prng(1) });
  const init = { fileSystem, directory: DIRECTORY, onFailure: onDefect };
  let index = new QueueIndex(init);
  for (let at = 0; at < 17_000; at++) {
    index.add(keyedRow(at, 10));
    index.coverTo(at + 1);
  }
  await new Promise<void>((resolve) => index.close(resolve));
  index = new QueueIndex(init);

  index.cutBack(16_000);

  expect(index.endLogOffset).toBe(16_000);
  const { keyHashes } = keyedRow(15_999, 10);
  const found = [...index.withKey(1, keyHashes[9] as number)]
    .flat()
    .map(({ row }) => row.logOffset);
  expect(found).toContain(15_999);
}, 60_000);

class FullFileSystem extends MemoryFileSystem {
  isFull = false;

  override create(path: string): OpenFile {
    if (this.isFull) throw new Error("ENOSPC");
    return super.create(path);
  }
}

test("a disk that takes no note of a trim is told of, and the trim goes on", async () => {
  const fileSystem = new FullFileSystem({ prng: new Prng(1) });
  const failures: Error[] = [];
  const index = new QueueIndex({
    fileSystem,
    directory: DIRECTORY,
    spanRowsMax: 5,
    spanRowsOfQueue: 1,
    onFailure: (error) => failures.push(error),
  });
  for (let at = 0; at < 20; at++) {
    index.add(keyedRow(at, 0));
    index.coverTo(at + 1);
    await settled();
  }
  const indexFiles = (): number =>
    (fileSystem.list(DIRECTORY) ?? []).filter((name) => name.endsWith(".index")).length;

  fileSystem.isFull = true;
  index.trim(12);
  const found = index.firstOffset(KEYS[0] as QueueKey);
  const filesThen = indexFiles();
  fileSystem.isFull = false;
  index.trim(13);

  expect(failures.map(({ message }) => message)).toEqual(["ENOSPC"]);
  expect([found, index.firstOffset(KEYS[0] as QueueKey)]).toEqual([12, 13]);
  expect([filesThen, indexFiles()]).toEqual([4, 2]);
});

test("a key is looked for span by span, and what is trimmed meanwhile is passed over", async () => {
  const fileSystem = new MemoryFileSystem({ prng: new Prng(1) });
  const index = opened(fileSystem);
  for (let at = 0; at < 20; at++) {
    index.add({ ...keyedRow(at, 0), keyHashes: at % 5 === 0 ? [7] : [] });
    index.coverTo(at + 1);
    await settled();
  }

  const looks = index.withKey(1, 7);
  const offsets: number[] = [];
  for (const found of looks) {
    offsets.push(...found.map(({ row }) => row.logOffset));
    index.trim(11);
  }

  // The newest span is empty: everything before 11 was trimmed as the second one was asked for.
  expect(offsets).toEqual([15]);
});

test("rows of many queues fill a span later: its queues stay in memory", async () => {
  const fileSystem = new MemoryFileSystem({ prng: new Prng(1) });
  const options = { fileSystem, spanRowsMax: 5, spanRowsOfQueue: 4, onFailure: onDefect };
  const index = new QueueIndex({ ...options, directory: "/many" });
  const other = new QueueIndex({ ...options, directory: "/one" });
  for (let at = 0; at < 200; at++) {
    const [queue, baseOffset] = [at % 10, Math.floor(at / 10)];
    const row = { logOffset: at, storeTimestamp: at, bytes: 10, keyHashes: [] };
    index.add({ ...row, key: queueKey(1, queue), baseOffset, endOffset: baseOffset + 1 });
    other.add({ ...row, key: queueKey(1, 0), baseOffset: at, endOffset: at + 1 });
    await settled();
  }

  const countOf = (directory: string): number =>
    (fileSystem.list(directory) ?? []).filter((name) => name.endsWith(".index")).length;
  // Four rows of each queue, of five queues at most; and of one queue five.
  expect([countOf("/many"), countOf("/one")]).toEqual([200 / 20, 200 / 5]);
  for (let queue = 0; queue < 10; queue++)
    expect(index.range(queueKey(1, queue), 0, { bytes: 10_000 })).toHaveLength(20);
});
