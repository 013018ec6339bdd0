// Goal: what is damaged is noticed, said with file and offset, and never guessed around.
// Method: a log with known contents; one kind of damage; open it, or read it. Design: FAST '18
// (protocol-aware recovery) tells torn from corrupt; ALICE (OSDI '14) has the file system's part.

import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type LogEntry, LogError, type SegmentLogStore } from "../src/index.ts";
import {
  batch,
  contents,
  DIRECTORY,
  entries,
  hardState,
  IDENTITY,
  Machine,
  made,
} from "./kit/disk.ts";

/** A log of `count` entries that was closed in order: everything in it is known to be synced. */
function closed(count: number, bytes: number): { machine: Machine; written: LogEntry[] } {
  const machine = made();
  const store = machine.open();
  const written = entries(1, count, 3, bytes);
  for (const entry of written) {
    store.append(
      batch({ hardState: hardState(3, entry.index - 1, 2), entries: [entry] }),
      () => {},
    );
    machine.settle();
  }
  close(machine, store);
  return { machine, written };
}

function close(machine: Machine, store: SegmentLogStore): void {
  let isClosed = false;
  store.close(() => {
    isClosed = true;
  });
  machine.settle();
  expect(isClosed).toBe(true);
}

function errorOf(run: () => unknown): LogError {
  try {
    run();
  } catch (error) {
    if (error instanceof LogError) return error;
    throw error;
  }
  throw new Error("nothing was noticed");
}

function flip(machine: Machine, path: string, offset: number): () => void {
  const before = machine.fileSystem.bytesOf(path)[offset] as number;
  machine.fileSystem.damage(path, offset, Uint8Array.of(before ^ 0x10));
  return () => {
    machine.fileSystem.damage(path, offset, Uint8Array.of(before));
  };
}

const FIRST = `${DIRECTORY}/0000000000000001.log`;

describe("one flipped bit", () => {
  test("anywhere in what was synced of the last segment keeps the log from opening", () => {
    const { machine } = closed(12, 40);
    const bytes = machine.fileSystem.bytesOf(FIRST);
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
    // The last mark says that all before it is synced; nothing says so of itself.
    const lastMark = end - 56;
    for (let offset = 4096; offset < lastMark - 8; offset++) {
      const mend = flip(machine, FIRST, offset);
      const error = errorOf(() => machine.open());
      expect([error.code, error.file]).toEqual(["LOG_CORRUPT", FIRST]);
      expect(error.offset).toBeLessThanOrEqual(offset);
      mend();
    }
    machine.open();
  });

  test("in a header keeps the log from opening", () => {
    const { machine } = closed(3, 40);
    for (const offset of [0, 8, 12, 16, 24, 28, 40, 48, 60, 1000]) {
      const mend = flip(machine, FIRST, offset);
      expect(errorOf(() => machine.open()).code).toBe("LOG_CORRUPT");
      mend();
    }
  });

  test("in a sealed segment is found when that entry is read, and in no other", () => {
    const { machine, written } = closed(300, 400);
    const probe = machine.open();
    expect(probe.status().segmentCount).toBeGreaterThan(2);
    close(machine, probe);
    for (let offset = 4096 + 200; offset < 40_000; offset += 2_237) {
      const mend = flip(machine, FIRST, offset);
      const store = machine.open();
      let found = 0;
      for (const entry of written) {
        const range = { low: entry.index, high: entry.index + 1, bytesMax: 1 };
        try {
          const [read] = store.entries(range) ?? [];
          expect(read?.index).toBe(entry.index);
          expect(Buffer.compare(read?.data ?? Buffer.alloc(0), entry.data)).toBe(0);
        } catch (error) {
          if (!(error instanceof LogError)) throw error;
          expect(error.code).toBe("LOG_CORRUPT");
          expect(error.file).toBe(FIRST);
          expect(error.offset).toBeLessThanOrEqual(offset);
          found += 1;
        }
      }
      expect(found).toBeLessThanOrEqual(1);
      close(machine, store);
      mend();
    }
  });

  test("in a footer costs nothing: the frames are read instead", () => {
    const { machine, written } = closed(300, 400);
    const bytes = machine.fileSystem.bytesOf(FIRST);
    for (const offset of [bytes.length - 10, footerOf(bytes) + 40]) {
      const mend = flip(machine, FIRST, offset);
      const store = machine.open();
      expect(contents(store)).toHaveLength(written.length);
      close(machine, store);
      mend();
    }
  });
});

function footerOf(bytes: Uint8Array): number {
  const trailer = Buffer.from(bytes.subarray(bytes.length - 32));
  return trailer.readUInt32LE(24);
}

describe("what a crash has torn", () => {
  test("is cut, and what was acknowledged stays", () => {
    const machine = made();
    const store = machine.open();
    store.append(batch({ entries: entries(1, 5) }), () => {});
    machine.settle();
    store.append(batch({ entries: entries(6, 5) }), () => {});
    // Written, and not synced.
    machine.step();
    machine.crash("process");
    const bytes = machine.fileSystem.bytesOf(FIRST);
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
    machine.fileSystem.damage(FIRST, end - 120, new Uint8Array(30));

    const again = machine.open();

    expect(again.lastIndex()).toBeGreaterThanOrEqual(5);
    expect(again.lastIndex()).toBeLessThan(10);
    expect(again.tornBytes).toBeGreaterThan(0);
  });

  test("does not come back to life when the log grows over it", () => {
    const machine = made();
    const store = machine.open();
    store.append(batch({ entries: entries(1, 2) }), () => {});
    machine.settle();
    store.append(batch({ hardState: hardState(1), entries: entries(3, 6, 1) }), () => {});
    machine.step();
    machine.crash("process");
    // The first frame of that write is lost, the others are sound.
    const bytes = Buffer.from(machine.fileSystem.bytesOf(FIRST));
    const entrySize = 40;
    const third =
      bytes.length -
      1 -
      Buffer.from(bytes)
        .reverse()
        .findIndex((byte) => byte !== 0);
    const start = third - 56 - 5 * entrySize - entrySize;
    machine.fileSystem.damage(FIRST, start - (start % 8), new Uint8Array(40));

    const again = machine.open();
    const last = again.lastIndex();
    again.append(batch({ entries: entries(last + 1, 1, 2) }), () => {});
    machine.settle();
    machine.crash("power");

    expect(machine.open().lastIndex()).toBe(last + 1);
  });
});

/** Several segments, the last one begun. */
function many(): Machine {
  return closed(300, 400).machine;
}

test("the torn first write of a segment does not come back to life, either", () => {
  const machine = made();
  const store = machine.open();
  const second = `${DIRECTORY}/0000000000000002.log`;
  let last = 0;
  const isBegun = (): boolean =>
    machine.files().includes(second) && machine.fileSystem.bytesOf(second)[4096] !== 0;
  while (!isBegun()) {
    // Frames as large as that of a mark.
    store.append(batch({ entries: entries(last + 1, 8, 1, 24) }), () => {});
    last += 8;
    while (!isBegun() && machine.step());
  }
  machine.crash("process");
  machine.fileSystem.damage(second, 4096, new Uint8Array(32));

  const again = machine.open();
  const from = again.lastIndex() + 1;
  again.append(batch({ entries: entries(from, 1, 2, 24) }), () => {});
  machine.settle();
  machine.crash("power");

  expect(machine.open().lastIndex()).toBe(from);
});

describe("files", () => {
  test.each([1, 2, 3])("segment %d is not there", (id) => {
    const machine = many();
    machine.fileSystem.lose(`${DIRECTORY}/000000000000000${id}.log`);
    expect(errorOf(() => machine.open()).code).toBe("LOG_SEGMENT_MISSING");
  });

  test("the last two segments are not there", () => {
    const machine = many();
    for (const path of machine.files().slice(-2)) machine.fileSystem.lose(path);
    expect(errorOf(() => machine.open()).code).toBe("LOG_SEGMENT_MISSING");
  });

  test("a segment is cut short", () => {
    const machine = many();
    machine.fileSystem.truncate(FIRST, 30_000);
    const error = errorOf(() => machine.open());
    expect([error.code, error.file, error.offset]).toEqual(["LOG_CORRUPT", FIRST, 30_000]);
  });

  test("a segment has another one's name", () => {
    const machine = many();
    const [first, second] = machine.files() as [string, string];
    machine.fileSystem.rename(first, `${DIRECTORY}/x`);
    machine.fileSystem.rename(second, first);
    machine.fileSystem.rename(`${DIRECTORY}/x`, second);
    expect(errorOf(() => machine.open()).code).toBe("LOG_CORRUPT");
  });

  test("there is no log, or no directory", () => {
    const machine = new Machine();
    expect(errorOf(() => machine.open()).code).toBe("LOG_MISSING");
    machine.fileSystem.makeDirectory(DIRECTORY);
    expect(errorOf(() => machine.open()).code).toBe("LOG_MISSING");
  });

  test("there is a log already", () => {
    const machine = made();
    expect(errorOf(() => machine.create()).code).toBe("LOG_EXISTS");
  });

  test("somebody else has it open", () => {
    const machine = made();
    machine.open();
    expect(errorOf(() => machine.open()).code).toBe("LOG_LOCKED");
  });

  test.each([
    ["clusterId", "other"],
    ["groupId", 7],
    ["nodeId", 2],
    ["incarnation", 2],
  ])("it is another %s's", (field, value) => {
    const machine = made();
    const error = errorOf(() => machine.open({ ...IDENTITY, [field]: value }));
    expect(error.code).toBe("LOG_FOREIGN");
    expect(error.message).toContain(field);
    // It was not locked by the attempt.
    machine.open();
  });

  test("it was written by a later version", () => {
    const machine = made();
    const header = Buffer.from(machine.fileSystem.bytesOf(FIRST).subarray(0, 4096));
    header.writeUInt16LE(2, 8);
    header.writeUInt32LE(0, 12);
    header.writeUInt32LE(crc32(header), 12);
    machine.fileSystem.damage(FIRST, 0, header);
    const error = errorOf(() => machine.open());
    expect(error.code).toBe("LOG_VERSION");
    expect(error.message).toContain("upgrade");
  });
});
