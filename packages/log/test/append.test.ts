// Goal: what the disk is asked to do, and what is said of it: one write and one sync for all that
// came meanwhile, answers in order and not before, and nothing at all after a failure.
// Method: a file system in memory whose callbacks run one by one, and faults at each operation.

import { releaseBytes, SlabPool } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import { LogError, type SegmentLogStore } from "../src/index.ts";
import type { Operation } from "../src/testing/index.ts";
import { batch, contents, entries, entry, hardState, Machine, made } from "./kit/disk.ts";

/** Counts what a run asks of the disk, on segments that are in use. */
function counted(machine: Machine, run: () => void): Record<string, number> {
  const counts: Record<string, number> = {};
  machine.fileSystem.fault = ({ operation, path }) => {
    if (!path.endsWith(".tmp")) counts[operation] = (counts[operation] ?? 0) + 1;
    return undefined;
  };
  run();
  machine.fileSystem.fault = undefined;
  return counts;
}

/** Memory that is nonsense when it is free. */
function spoiled(): SlabPool {
  return new SlabPool({ slabBytes: 4_096, onFree: (slab) => slab.fill(0xdb) });
}

/** Open, and done with what opening starts in the background. */
function settled(machine: Machine): SegmentLogStore {
  const store = machine.open();
  machine.settle();
  return store;
}

describe("group commit", () => {
  test("what comes while the disk is busy is one write and one sync", () => {
    const machine = made();
    const store = settled(machine);
    const done: number[] = [];
    const counts = counted(machine, () => {
      for (let index = 1; index <= 40; index++)
        store.append(batch({ entries: [entry(index)] }), () => done.push(index));
      machine.settle();
    });

    expect(counts).toEqual({ write: 2, sync: 2 });
    expect(done).toEqual(entries(1, 40).map(({ index }) => index));
  });

  test("nothing is durable before the sync has returned", () => {
    const machine = made();
    const store = settled(machine);
    let isDurable = false;
    store.append(batch({ entries: [entry(1)] }), () => {
      isDurable = true;
    });

    expect(store.lastIndex()).toBe(1);
    expect(store.status().syncedIndex).toBe(0);
    machine.step();
    expect(isDurable).toBe(false);
    machine.step();
    expect(isDurable).toBe(true);
    expect(store.status().syncedIndex).toBe(1);
  });

  test("a commit index alone waits for no disk, and reaches it with the next mark", () => {
    const machine = made();
    const store = settled(machine);
    store.append(batch({ hardState: hardState(1), entries: entries(1, 3) }), () => {});
    machine.settle();
    let isDone = false;
    const counts = counted(machine, () => {
      store.append(batch({ hardState: hardState(1, 3) }), () => {
        isDone = true;
      });
    });

    expect([isDone, counts]).toEqual([true, {}]);
    store.mark();
    machine.settle();
    machine.crash("power");
    expect(machine.open().hardState().commitIndex).toBe(3);
  });

  test("a mark says what is news, once", () => {
    const machine = made();
    const store = settled(machine);
    store.append(batch({ entries: [entry(1)] }), () => {});
    machine.settle();
    const counts = counted(machine, () => {
      store.mark();
      machine.settle();
      store.mark();
      machine.settle();
    });
    expect(counts).toEqual({ write: 1, sync: 1 });
  });
});

describe("a failure", () => {
  const operations: readonly Operation[] = ["write", "sync", "rename", "syncDirectory", "create"];

  test.each(operations)(
    "of a %s stops the log, once, and nothing is answered after it",
    (which) => {
      const machine = made();
      const store = machine.open();
      let isArmed = false;
      machine.fileSystem.fault = ({ operation }) =>
        isArmed && operation === which ? new Error("EIO") : undefined;
      let answered = 0;
      for (let index = 1; index <= 20; index++)
        store.append(batch({ entries: [entry(index, 1, 3_000)] }), () => (answered += 1));
      machine.settle();
      expect(answered).toBe(20);

      isArmed = true;
      for (let index = 21; index <= 400 && machine.failure === undefined; index++) {
        store.append(batch({ entries: [entry(index, 1, 3_000)] }), () => {
          expect(machine.failure).toBeUndefined();
          answered += 1;
        });
        machine.settle();
      }

      expect(machine.failure?.code).toBe("LOG_FAILED");
      const before = answered;
      machine.fileSystem.fault = undefined;
      machine.settle();
      expect(answered).toBe(before);
      expect(() => {
        store.append(batch({ entries: [entry(500)] }), () => {});
      }).toThrow(LogError);
      let isClosed = false;
      store.close(() => {
        isClosed = true;
      });
      machine.settle();
      expect(isClosed).toBe(true);
      machine.crash("power");
      expect(machine.open().lastIndex()).toBeGreaterThanOrEqual(answered);
    },
  );
});

describe("limits", () => {
  test("an entry that fits into no segment is refused before anything is written", () => {
    const machine = made();
    const store = settled(machine);
    const counts = counted(machine, () => {
      expect(() => {
        store.append(batch({ entries: [entry(1), entry(2, 1, 70_000)] }), () => {});
      }).toThrow(/raise segmentBytes/u);
    });
    expect([store.lastIndex(), counts]).toEqual([0, {}]);
  });

  test("a configuration that leaves no room for entries is refused, wherever it comes from", () => {
    const machine = made();
    const store = settled(machine);
    store.append(batch({ entries: entries(1, 3) }), () => {});
    const base = { index: 2, term: 1, configuration: new Uint8Array(5_000) };
    expect(() => {
      store.trim(base, () => {});
    }).toThrow(/configuration/u);
    expect(() => {
      store.append(batch({ reset: { ...base, index: 9 } }), () => {});
    }).toThrow(/configuration/u);
    expect(() => {
      new Machine().create(base);
    }).toThrow(/configuration/u);
    expect(store.lastIndex()).toBe(3);
  });

  test("the largest entry that is taken can be written, and read again", () => {
    const machine = made();
    const store = settled(machine);
    let bytes = 65_536;
    let isTaken = false;
    while (!isTaken)
      try {
        store.append(batch({ entries: [entry(1, 1, bytes)] }), () => {});
        isTaken = true;
      } catch {
        // Too large: the next one is 8 bytes smaller.
        bytes -= 8;
      }
    expect(bytes).toBeGreaterThan(60_000);
    store.append(batch({ entries: [entry(2, 1, bytes), entry(3, 1, bytes)] }), () => {});
    machine.settle();
    machine.crash("process");
    const sizes = contents(machine.open()).map(({ data }) => data.byteLength);
    expect(sizes).toEqual([bytes, bytes, bytes]);
  });

  test("a batch that is larger than a segment goes into several, and is durable as a whole", () => {
    const machine = made();
    const store = settled(machine);
    let isDurable = false;
    store.append(batch({ entries: entries(1, 100, 1, 5_000) }), () => {
      isDurable = true;
    });
    machine.settle();
    expect(isDurable).toBe(true);
    expect(store.status().segmentCount).toBeGreaterThan(8);
    machine.crash("power");
    expect(contents(machine.open())).toHaveLength(100);
  });

  test("memory holds the newest entries only, and reads find the others", () => {
    const machine = made(1, { tailBytesMax: 10_000 });
    const store = settled(machine);
    const written = entries(1, 200, 1, 500);
    for (const each of written) store.append(batch({ entries: [each] }), () => {});
    machine.settle();
    const counts = counted(machine, () => {
      expect(contents(store).map(({ index }) => index)).toEqual(written.map(({ index }) => index));
    });
    expect(counts["read"]).toBeGreaterThan(0);
  });
});

describe("memory that is used again", () => {
  test("is held as long as entries are in memory, and let go with them", () => {
    const machine = made(1, { tailBytesMax: 10_000 });
    const store = settled(machine);
    const memory = spoiled();
    const slabs = new Set<ArrayBufferLike>();
    const written: string[] = [];
    for (const each of entries(1, 200, 1, 500)) {
      const data = memory.take(each.data.byteLength);
      data.set(each.data);
      slabs.add(data.buffer);
      written.push(Buffer.from(data).toString("hex"));
      store.append(batch({ entries: [{ ...each, data }] }), () => {
        releaseBytes(data);
      });
      if (each.index % 10 === 0) machine.settle();
      const found = contents(store).map(({ data: bytes }) => Buffer.from(bytes).toString("hex"));
      expect(found).toEqual(written);
    }
    expect(slabs.size).toBeLessThan(12);
  });

  test("of entries that are cut off is left to others", () => {
    const machine = made();
    const store = settled(machine);
    const memory = spoiled();
    const data = memory.take(4_000).fill(1);
    store.append(batch({ entries: [{ ...entry(1), data }] }), () => {});
    store.append(batch({ entries: entries(1, 1, 2) }), () => {});
    releaseBytes(data);
    releaseBytes(memory.take(4_000));
    machine.settle();
    expect(data.every((byte) => byte === 1)).toBe(true);
  });
});

describe("trimming", () => {
  test("frees whole segments, and uses one of them again", () => {
    const machine = made();
    const store = settled(machine);
    for (let round = 0; round < 30; round++) {
      const from = round * 50 + 1;
      store.append(batch({ entries: entries(from, 50, 1, 600) }), () => {});
      machine.settle();
      const base = { index: from + 30, term: 1, configuration: Uint8Array.of(round) };
      store.trim(base, () => {});
      machine.settle();
      expect(store.firstIndex()).toBe(from + 31);
      expect(store.entries({ low: from, high: from + 40, bytesMax: 1e9 })).toBeUndefined();
    }
    expect(store.status().segmentCount).toBeLessThanOrEqual(4);
    machine.crash("power");
    const again = machine.open();
    expect(again.base()).toEqual({ index: 1481, term: 1, configuration: Uint8Array.of(29) });
    expect(contents(again)).toHaveLength(19);
  });
});
