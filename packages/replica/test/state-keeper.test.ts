// Goal: whatever the disk does, whenever the machine stops, there is a snapshot that the log can
// begin behind, the log begins no later than the group has agreed on, and the node goes on.
// Method: a real log and real snapshots on a disk in memory, without consensus; the machine stops
// after each callback.

import { describe, expect, test } from "vitest";
import { GroupState } from "../src/group-state.ts";
import type { Machine } from "../src/machine.ts";
import { MemoryTable } from "../src/memory-table.ts";
import { KeptGroup, type KeptGroupInit } from "./kit/kept-group.ts";
import { indexes, pathOf, send, type Source } from "./kit/snapshots.ts";

function full(): Error {
  return Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
}

/** The disk has no room for snapshots, and has for the log. */
function fill(group: KeptGroup, operation = "write"): void {
  group.disk.fileSystem.fault = (event) =>
    event.operation === operation && event.path.endsWith(".part") ? full() : undefined;
}

/** A byte in the middle of a file that its ends do not tell of. */
function damage(group: KeptGroup, index: number): void {
  group.disk.fileSystem.damage(pathOf(index), 4_096 + 20, Uint8Array.of(0xa5, 0x5a));
}

/** Three snapshots, each with a record before it; the log begins behind the first one. */
function kept(init: KeptGroupInit = {}): { group: KeptGroup; markers: [number, number, number] } {
  const group = new KeptGroup(init);
  const marker = (): number => {
    group.record();
    const index = group.marker();
    group.settle();
    return index;
  };
  const markers: [number, number, number] = [marker(), marker(), marker()];
  group.trim(1);
  group.settle();
  expect(group.baseIndex).toBe(markers[0]);
  return { group, markers };
}

/** A snapshot far ahead of all that a group of a test has. */
function ahead(): Source {
  const group = new KeptGroup();
  for (let i = 0; i < 60; i++) group.record();
  const index = group.marker();
  group.settle();
  return group.source(index);
}

describe("a snapshot of a leader", () => {
  const source = ahead();
  const { index } = source.offer;

  /** Snapshots of its own are trimmed to and written as the other one is installed. */
  function overtaken(seed: number, stepsBefore: number): KeptGroup {
    const { group } = kept({ seed });
    send(group.snapshots.receive(source.offer), source, () => undefined);
    group.settle();
    group.trim(2);
    group.marker();
    for (let step = 0; step < stepsBefore; step++) group.disk.step();
    group.install(index);
    return group;
  }

  test.each([0, 1, 2, 3, 4, 5, 6, 8, 10, 14])(
    "leaves what the disk rests on until the log is reset there: %d steps before",
    (stepsBefore) => {
      for (let steps = 0, isOver = false; !isOver; steps++) {
        const group = overtaken(steps + 1, stepsBefore);
        for (let step = 0; step < steps && !isOver; step++) isOver = !group.disk.step();
        expect(group.keeper.appliedIndex).toBe(index);

        group.crash();

        expect(indexes(group.snapshots)).toContain(group.baseIndex);
        if (isOver) expect([group.baseIndex, group.startedAt]).toEqual([index, index]);
        group.record();
        group.marker();
        group.settle();
        expect([group.disk.failures, group.logFailures]).toEqual([[], []]);
      }
    },
  );

  test("makes older ones that were to be written useless", () => {
    const group = overtaken(1, 1);
    const { operationCount } = group.disk.fileSystem;

    group.settle();

    expect(indexes(group.snapshots)).toEqual([index]);
    expect(group.disk.names()).toHaveLength(1);
    expect(group.disk.fileSystem.operationCount - operationCount).toBeLessThan(12);
  });

  test("is followed by those of its own", () => {
    const group = overtaken(1, 1);
    const next = [group.record(), group.marker()].at(-1) as number;

    group.settle();

    expect(indexes(group.snapshots)).toEqual([index, next]);
  });
});

test.each([0, 2, 4, 5, 6, 7, 8])(
  "a trim leaves the old base's snapshot until then: %d",
  (before) => {
    const seeds = Array.from({ length: 12 }, (_, i) => i + 1);
    for (let steps = 0, isOver = false; !isOver; steps++)
      for (const seed of seeds) {
        const { group } = kept({ seed });
        // It may be durable before the trim is.
        group.marker();
        for (let step = 0; step < before; step++) group.disk.step();
        group.trim(2);
        group.trim(3);
        for (let step = 0; step < steps && !isOver; step++) isOver = !group.disk.step();

        group.crash();

        expect(indexes(group.snapshots)).toContain(group.baseIndex);
      }
  },
);

/** Knows which of its states were asked for. */
class Watched implements Machine {
  readonly pulled: number[] = [];
  count = 0;

  apply({ records }: { readonly records: readonly Uint8Array[] }): readonly Uint8Array[] {
    this.count += records.length;
    return records;
  }

  *#pieces(count: number): Generator<Uint8Array> {
    this.pulled.push(count);
    yield Buffer.from(String(count));
  }

  snapshot(): Iterable<Uint8Array> {
    return this.#pieces(this.count);
  }

  restore(chunks: Iterable<Uint8Array>): void {
    this.count = Number(Buffer.concat([...chunks]).toString());
  }
}

/** Five of them at once, a record before each. */
function hurried(machine?: Machine): { group: KeptGroup; markers: number[] } {
  const group = new KeptGroup(machine === undefined ? {} : { machine });
  const markers = Array.from({ length: 5 }, () => {
    group.record();
    return group.marker();
  });
  group.settle();
  return { group, markers };
}

describe("markers that come faster than the disk writes", () => {
  test("leave the first one and the newest", () => {
    const machine = new Watched();
    const { group, markers } = hurried(machine);

    expect(indexes(group.snapshots)).toEqual([markers[0], markers[4]]);
    expect(machine.pulled).toEqual([1, 5]);
  });

  test("let the log begin at the one before the agreed one, and never beyond", () => {
    const { group, markers } = hurried();

    group.trim(3);
    group.settle();

    expect(group.keeper.state.startIndex).toBe(markers[2]);
    expect(group.baseIndex).toBe(markers[0]);
    expect(group.keeper.firstOffset).toBe(3);
    expect(indexes(group.snapshots)).toEqual([markers[0], markers[4]]);
    group.trim(5);
    group.settle();
    expect(group.baseIndex).toBe(markers[4]);
    expect(indexes(group.snapshots)).toEqual([markers[4]]);
  });

  test("keep what a later trim moves to, while one to an earlier place is on its way", () => {
    const group = new KeptGroup();
    const markers = Array.from({ length: 5 }, (_, i) => {
      group.record();
      const index = group.marker();
      if (i < 2) group.settle();
      return index;
    });
    group.settle();
    expect(indexes(group.snapshots)).toEqual([0, 1, 2, 4].map((i) => markers[i]));

    group.trim(1);
    group.trim(4);
    group.settle();

    expect(group.keeper.state.startIndex).toBe(markers[3]);
    expect(group.baseIndex).toBe(markers[2]);
  });

  test("change nothing of the state, nor of what can be read", () => {
    const { group: slow } = hurried();
    const quick = new KeptGroup();
    for (let i = 0; i < 5; i++) {
      quick.record();
      quick.marker();
      quick.settle();
    }
    for (const each of [slow, quick]) {
      each.trim(3);
      each.settle();
    }

    expect(quick.baseIndex).toBeGreaterThan(slow.baseIndex);
    const images = [slow, quick].map(({ keeper }) => Buffer.concat([...keeper.state.image()]));
    expect(images[0]?.equals(images[1] as Buffer)).toBe(true);
    expect(slow.keeper.firstOffset).toBe(quick.keeper.firstOffset);
    slow.restart();
    expect(slow.keeper.firstOffset).toBe(quick.keeper.firstOffset);
  });
});

describe("a snapshot that is damaged", () => {
  test("is passed over for an older one, with more of the log, and said to be", () => {
    const { group, markers } = kept();
    const before = Buffer.concat([...group.keeper.state.image()]);
    damage(group, markers[2]);

    group.restart();

    expect(group.failed.map(([index]) => index)).toEqual([markers[2]]);
    expect(group.failed[0]?.[1].message).toContain(`(${pathOf(markers[2])}, byte 4096)`);
    expect(Buffer.concat([...group.keeper.state.image()]).equals(before)).toBe(true);
  });

  test("stays where it is until it was written anew", () => {
    const { group, markers } = kept();
    damage(group, markers[2]);

    group.restart();

    expect(group.snapshots.damaged().map(({ index }) => index)).toEqual([markers[2]]);
    expect(group.disk.bytesOf(markers[2]).readUInt16BE(4_116)).toBe(0xa55a);
    // Its marker was applied again.
    group.settle();
    expect([indexes(group.snapshots), group.snapshots.damaged()]).toEqual([[...markers], []]);
    group.restart();
    expect(group.failed).toEqual([]);
  });

  test("at the base is not needed where a newer one is sound", () => {
    const { group, markers } = kept();
    damage(group, markers[0]);

    group.restart();

    expect(group.failed).toEqual([]);
    expect(group.keeper.state.nextOffset).toBe(3);
  });

  test("as all others are keeps the node from starting, with file and offset", () => {
    const { group, markers } = kept();
    for (const index of markers) damage(group, index);

    expect(() => {
      group.restart();
    }).toThrow(`(${pathOf(markers[0])}, byte 4096)`);

    expect(group.failed.map(([index]) => index)).toEqual(markers.toReversed());
  });

  test("as all others are, and needed by nobody, leaves the log from its beginning on", () => {
    const group = new KeptGroup();
    group.record();
    const index = group.marker();
    group.settle();
    damage(group, index);

    group.restart();

    expect(group.failed.map(([each]) => each)).toEqual([index]);
    expect(group.keeper.state.nextOffset).toBe(1);
  });

  test("in its header is said to be, too", () => {
    const { group, markers } = kept();
    group.disk.fileSystem.damage(pathOf(markers[2]), 20, Uint8Array.of(0xff));

    group.restart();

    expect(group.failed.map(([index]) => index)).toEqual([markers[2]]);
    expect(group.keeper.state.nextOffset).toBe(3);
  });
});

describe("a disk without room for a snapshot", () => {
  test.each(["write", "create"])("at a %s loses that snapshot, and nothing else", (operation) => {
    const { group, markers } = kept();
    fill(group, operation);
    const missed = group.marker();
    group.settle();

    expect(group.failed.map(([index]) => index)).toEqual([missed]);
    expect(group.failed[0]?.[1]).toMatchObject({ code: "SNAPSHOT_NO_SPACE" });
    expect([group.disk.failures, group.snapshots.isOpen()]).toEqual([[], true]);
    expect(group.disk.names().filter((name) => name.endsWith(".part"))).toEqual([]);
    group.disk.fileSystem.fault = undefined;
    group.record();
    const next = group.marker();
    group.settle();
    expect(indexes(group.snapshots)).toEqual([...markers, next]);
  });

  test("tries the one that came meanwhile, too", () => {
    const { group } = kept();
    fill(group);
    const missed = [group.marker(), group.marker()];
    group.settle();

    expect(group.failed.map(([index]) => index)).toEqual(missed);
  });

  test("goes on after a restart", () => {
    const { group, markers } = kept();
    fill(group);
    const missed = group.marker();
    group.settle();

    group.disk.crash("power");
    group.open();
    group.settle();

    expect(group.failed.map(([index]) => index)).toEqual([missed]);
    expect(group.startedAt).toBe(missed);
    expect(indexes(group.snapshots)).toEqual(markers);
  });

  test("ends the node if hearing of it throws: nothing is thrown at the disk", () => {
    const broken = new Error("the listener is broken");
    const { group } = kept({
      onSnapshotFailed: () => {
        throw broken;
      },
    });
    fill(group);
    group.marker();
    group.settle();

    expect(group.thrown).toEqual([broken]);
  });

  test("leaves the log what it needs", () => {
    const group = new KeptGroup({ store: { reserveBytes: 50_000 } });
    group.disk.fileSystem.freeBytes = () => 49_999;
    const index = group.marker();
    group.settle();

    expect(group.failed.map(([each]) => each)).toEqual([index]);
    group.disk.fileSystem.freeBytes = () => 50_000 + 4_096;
    const next = group.marker();
    group.settle();
    expect(indexes(group.snapshots)).toEqual([next]);
  });

  test.each(["write", "sync", "rename", "syncDirectory"])(
    "is not one that fails at a %s: that stops the node",
    (operation) => {
      const { group } = kept();
      group.disk.fileSystem.fault = ({ operation: each, path }) =>
        each === operation && path.includes("snapshots") ? new Error("EIO") : undefined;
      group.marker();
      group.settle();

      expect(group.disk.failures.map(({ code }) => code)).toEqual(["SNAPSHOT_FAILED"]);
      expect(group.failed).toEqual([]);
    },
  );

  test("is not one whose sync says so: what it has written is not known then", () => {
    const { group } = kept();
    fill(group, "sync");
    group.marker();
    group.settle();

    expect(group.disk.failures.map(({ code }) => code)).toEqual(["SNAPSHOT_FAILED"]);
  });
});

describe("the state of an application", () => {
  test("is passed on as it is read, not as a whole", () => {
    let read = 0;
    function* chunks(image: Buffer): Generator<Uint8Array> {
      for (let at = 0; at < image.length; at += 100) {
        read = at;
        yield image.subarray(at, at + 100);
      }
    }
    const seen: number[] = [];
    const machine: Machine = {
      apply: ({ records }) => records,
      snapshot: () => [Buffer.alloc(5_000, 7)],
      restore: (pieces) => {
        let bytes = 0;
        for (const piece of pieces) {
          seen.push(read);
          bytes += piece.byteLength;
        }
        expect(bytes).toBe(5_000);
      },
    };
    const image = Buffer.concat([...new GroupState(machine).image()]);

    new GroupState(machine).restore(chunks(image), 9);

    expect(seen.length).toBeGreaterThan(45);
    expect(seen[0]).toBeLessThan(1_000);
  });

  test("comes back from a snapshot, however its machine reads it", () => {
    const table = new MemoryTable();
    const machine: Machine = {
      apply: ({ records, offset }) => {
        for (const [i, record] of records.entries()) table.set(`k${offset + i}`, record);
        return records;
      },
      snapshot: () => table.snapshot(),
      restore: (chunks) => {
        table.restore(chunks);
      },
    };
    const group = new KeptGroup({ machine });
    for (let i = 0; i < 50; i++) group.record("x".repeat(i));
    group.marker();
    group.settle();
    group.record("behind it");

    table.restore([]);
    group.restart();

    expect(table.size).toBe(51);
    expect(table.get("k49")).toHaveLength(49);
  });
});
