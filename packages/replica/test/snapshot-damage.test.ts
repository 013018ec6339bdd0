// Goal: whatever is wrong with the file of a snapshot is noticed, said with file and offset, and
// never guessed around.
// Method: one small snapshot; every bit, every length; then files that are sound and do not belong.

import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { SnapshotError } from "../src/snapshot-error.ts";
import type { SnapshotStore } from "../src/snapshot-store.ts";
import { indexes, pathOf, position, read, SnapshotMachine, written } from "./kit/snapshots.ts";

const FILE = pathOf(9);

/** What is wrong with the snapshot at 9: found as the store opens, or as it is read. */
function damageIn(machine: SnapshotMachine): SnapshotError | undefined {
  let store: SnapshotStore | undefined;
  try {
    store = machine.open();
    const damaged = store.damaged()[0];
    if (damaged !== undefined) return damaged.error;
    read(store, 9);
    return undefined;
  } catch (error) {
    if (error instanceof SnapshotError) return error;
    throw error;
  } finally {
    store?.close();
  }
}

/** Those of the bytes `[from, to)`. */
function bits(from: number, to: number): number[] {
  return Array.from({ length: (to - from) * 8 }, (_, i) => from * 8 + i);
}

/** One sound byte changed, for as long as `look` looks. */
function flipped(machine: SnapshotMachine, bit: number, look: () => void): void {
  const at = bit >> 3;
  const byte = machine.bytesOf(9).readUInt8(at);
  machine.fileSystem.damage(FILE, at, Uint8Array.of(byte ^ (1 << (bit & 7))));
  look();
  machine.fileSystem.damage(FILE, at, Uint8Array.of(byte));
}

describe("a bit that is flipped", () => {
  test("at any offset is found before its chunk is given out", () => {
    const machine = written([9]);
    const { length } = machine.bytesOf(9);
    for (let at = 0; at < length; at++)
      flipped(machine, at * 8 + (at % 8), () => {
        const error = damageIn(machine);

        expect([error?.code, error?.file], `byte ${at}`).toEqual(["SNAPSHOT_CORRUPT", FILE]);
        expect(error?.offset).toBeLessThanOrEqual(at < 4_096 ? 16 : at);
      });
    expect(damageIn(machine)).toBeUndefined();
  });

  test("in a header or a trailer, any of them, is found as the store opens", () => {
    const machine = written([9]);
    const { length } = machine.bytesOf(9);
    for (const bit of [...bits(0, 160), ...bits(length - 32, length)])
      flipped(machine, bit, () => {
        const store = machine.open();

        expect([indexes(store), store.damaged().length], `bit ${bit}`).toEqual([[], 1]);
        store.close();
      });
  });

  test("in a chunk is found by its offset, and what precedes it is given out", () => {
    const machine = written([9]);
    flipped(machine, (4_096 + 108 + 50) * 8, () => {
      const reader = machine.open().openReader(9);

      expect(reader?.next()).toHaveLength(100);
      expect(() => reader?.next()).toThrow(`a chunk is damaged (${FILE}, byte 4204)`);
    });
  });
});

describe("a file", () => {
  test("that is cut short anywhere is no snapshot", () => {
    const machine = written([9]);
    for (let bytes = machine.bytesOf(9).length - 1; bytes >= 0; bytes -= 13) {
      machine.fileSystem.truncate(FILE, bytes);

      const error = damageIn(machine);

      expect([error?.code, error?.file], `${bytes} bytes`).toEqual(["SNAPSHOT_CORRUPT", FILE]);
    }
  });

  test("that goes on behind its end is no snapshot", () => {
    const machine = written([9]);
    machine.fileSystem.damage(FILE, machine.bytesOf(9).length, new Uint8Array(1));

    expect(damageIn(machine)?.code).toBe("SNAPSHOT_CORRUPT");
  });

  test("whose chunks are in another order is found as it is read", () => {
    const machine = written([9]);
    const file = machine.bytesOf(9);
    machine.fileSystem.damage(FILE, 4_096, file.subarray(4_204, 4_312));
    machine.fileSystem.damage(FILE, 4_204, file.subarray(4_096, 4_204));

    expect(damageIn(machine)?.message).toContain("trailer does not fit");
  });

  test("with the trailer of another is found", () => {
    const machine = written([9, 10]);
    const trailer = machine.bytesOf(10).subarray(-32);
    machine.fileSystem.damage(FILE, machine.bytesOf(9).length - 32, trailer);

    expect(damageIn(machine)?.message).toContain("trailer does not fit");
  });

  test("with another one's name is no snapshot", () => {
    const machine = written([9]);
    machine.fileSystem.rename(FILE, pathOf(10));

    const store = machine.open();

    expect(store.damaged().map(({ index, error }) => [index, error.offset])).toEqual([[10, 24]]);
  });

  test("with a name that is none of the store's is left alone", () => {
    const machine = written([9]);
    machine.fileSystem.create("/group/snapshots/notes.txt");

    expect(indexes(machine.open())).toEqual([9]);
    expect(machine.names()).toContain("notes.txt");
  });

  test("that is damaged can be removed, or written again", () => {
    const machine = written([9, 10]);
    machine.fileSystem.damage(FILE, 20, Uint8Array.of(0xff));
    machine.fileSystem.damage(pathOf(10), 20, Uint8Array.of(0xff));
    const store = machine.open();
    expect(store.damaged().map(({ index }) => index)).toEqual([9, 10]);

    store.remove(10, () => undefined);
    store.write(position(9), [], () => undefined);
    machine.settle();

    expect([indexes(store), store.damaged()]).toEqual([[9], []]);
    expect(machine.names()).toHaveLength(1);
  });
});

describe("snapshots that do not belong here stop the store from opening", () => {
  test.each([{ clusterId: "other" }, { groupId: 4 }])("of another: %j", (init) => {
    const machine = written([9]);
    machine.fileSystem.create("/group/snapshots/0000000000000001-0000000000000001.part");

    expect(() => machine.open(init)).toThrow(expect.objectContaining({ code: "SNAPSHOT_FOREIGN" }));

    // Nothing was removed by the attempt.
    expect(machine.names()).toHaveLength(2);
  });

  test("of a later version", () => {
    const machine = written([9]);
    const block = machine.bytesOf(9).subarray(0, 4_096);
    block.writeUInt16LE(2, 8);
    block.writeUInt32LE(0, 12);
    block.writeUInt32LE(crc32(block), 12);
    machine.fileSystem.damage(FILE, 0, block);

    expect(() => machine.open()).toThrow(/upgrade/u);
  });
});
