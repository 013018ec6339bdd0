// Goal: a checksum that comes with an entry is not computed again, and one that is read goes out
// with the entry.
// Method: the same log with and without checksums, byte by byte; then a wrong one, which has to be
// found, as whoever appends answers for it.

import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type LogEntry, LogError, type SegmentLogStore } from "../src/index.ts";
import { batch, contents, entries, Machine, made } from "./kit/disk.ts";

const WRONG = 0xbad;
/** Small ones are copied as they are written, large ones are not. */
const SIZES = [0, 1, 8, 4_096, 4_097, 9_000];

function sample(): LogEntry[] {
  return SIZES.flatMap((bytes, i) => entries(1 + i * 2, 2, 1, bytes));
}

function withChecksum(entry: LogEntry): LogEntry {
  return { ...entry, checksum: crc32(entry.data) };
}

function written(list: readonly LogEntry[], options: Record<string, unknown> = {}): Machine {
  const machine = made(1, options);
  const store = machine.open();
  store.append(batch({ entries: list }), () => {});
  machine.settle();
  store.close(() => {});
  machine.settle();
  return machine;
}

function disk(machine: Machine): Buffer[] {
  return machine.files().map((path) => Buffer.from(machine.fileSystem.bytesOf(path)));
}

/** What reading finds wrong. */
function damageIn(read: () => SegmentLogStore | LogEntry[]): LogError {
  try {
    read();
  } catch (error) {
    if (error instanceof LogError) return error;
    throw error;
  }
  throw new Error("nothing was noticed");
}

describe("an entry's checksum", () => {
  test("is the one that is written: the bytes are those of a log that computed it", () => {
    const given = disk(written(sample().map(withChecksum)));
    const computed = disk(written(sample()));

    const isEqual = given.map((bytes, i) => bytes.equals(computed[i] ?? Buffer.alloc(0)));
    expect(isEqual).toEqual(computed.map(() => true));
  });

  test("comes back with the entry, whether it was given or computed", () => {
    for (const list of [sample(), sample().map(withChecksum)]) {
      const found = contents(written(list).open());

      const plain = found.map((entry) => ({ ...entry, data: Uint8Array.from(entry.data) }));
      expect(plain).toEqual(sample().map(withChecksum));
    }
  });

  test("is kept while the entry is in memory only", () => {
    const store = made().open();
    const list = sample().map(withChecksum).slice(0, 4);

    store.append(batch({ entries: list }), () => {});

    expect(contents(store)).toEqual(list);
  });
});

describe("a wrong checksum", () => {
  test("is found when the entry is read from its segment", () => {
    const machine = made(1, { tailBytesMax: 1_000 });
    const store = machine.open();
    const list = entries(1, 5, 1, 800);
    list[1] = { ...(list[1] as LogEntry), checksum: WRONG };
    store.append(batch({ entries: list }), () => {});
    machine.settle();

    const error = damageIn(() => contents(store));

    expect([error.code, error.file]).toEqual(["LOG_CORRUPT", machine.files()[0]]);
    expect(error.offset).toBeGreaterThan(4_096);
  });

  test.each([8, 9_000])("is found as the log opens, on %d bytes", (bytes) => {
    const list = entries(1, 3, 1, bytes);
    list[1] = { ...(list[1] as LogEntry), checksum: WRONG };
    const machine = written(list);

    const error = damageIn(() => machine.open());

    expect(error.code).toBe("LOG_CORRUPT");
  });

  test.each([-1, 0.5, 2 ** 32, Number.NaN])("%d is none at all, and is refused", (checksum) => {
    const store = made().open();
    const list = entries(1, 1).map((entry) => ({ ...entry, checksum }));

    expect(() => {
      store.append(batch({ entries: list }), () => {});
    }).toThrow(/32 bits/u);

    expect(store.lastIndex()).toBe(0);
  });
});
