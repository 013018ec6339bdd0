// Goal: a log that serves finds what is damaged of its sealed segments, and makes it anew while
// everything else goes on; a crash at any moment leaves the damaged file or the whole one.
// Method: a file system in memory whose callbacks run one by one; damage under an open log; a peer
// that has the entries; random histories that go on meanwhile.

import { Prng } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import { type LogEntry, LogError, type SegmentLogStore } from "../src/index.ts";
import {
  batch,
  contents,
  entries,
  fillReplaced,
  hardState,
  type Machine,
  made,
} from "./kit/disk.ts";
import { Driver, same, seen } from "./kit/history.ts";
import type { SegmentRepaired } from "../src/repair/segment-refill.ts";
import { damageFile, peerWith, repair as repairStopped } from "./kit/repairs.ts";

interface Filled {
  readonly machine: Machine;
  readonly store: SegmentLogStore;
  readonly written: readonly LogEntry[];
}

/** An open log of several segments, whose entries are read from the files. */
function filled(seed = 1, commitIndex?: number): Filled {
  const machine = made(seed, { tailBytesMax: 0 });
  const store = machine.open();
  const written = entries(1, 450, 3, 400);
  for (let i = 0; i < written.length; i += 5) {
    const added = written.slice(i, i + 5);
    store.append(batch({ hardState: hardState(3, commitIndex ?? i, 2), entries: added }), () => {});
    machine.settle();
  }
  return { machine, store, written };
}

function pathOf({ machine }: Filled, id: number): string {
  return machine.files()[id - 1] as string;
}

function errorAt(store: SegmentLogStore, index: number): LogError | undefined {
  try {
    store.entries({ low: index, high: index + 1, bytesMax: 1 });
    return undefined;
  } catch (error) {
    if (error instanceof LogError) return error;
    throw error;
  }
}

/** All that a scrub finds, reading so many bytes at a time. */
function scrub(store: SegmentLogStore): LogError[] {
  const found: LogError[] = [];
  for (const id of store.sealed.ids()) {
    let next: number | undefined;
    do {
      const step = store.sealed.scrub(id, next, 10_000);
      if (step.damage !== undefined) found.push(step.damage);
      ({ next } = step);
    } while (next !== undefined);
  }
  return found;
}

function repair(
  { machine, store, written }: Filled,
  id: number,
): SegmentRepaired | Error | undefined {
  let result: SegmentRepaired | Error | undefined;
  store.sealed.repair(id, peerWith(machine, written).fetch, (outcome) => {
    result = outcome;
  });
  machine.settle();
  return result;
}

function demandWhole(store: SegmentLogStore, written: readonly LogEntry[]): void {
  const found = contents(store);
  const isWhole =
    found.length === written.length &&
    found.every(({ data }, i) => Buffer.compare(data, written[i]?.data ?? data) === 0);
  expect(isWhole).toBe(true);
}

/** Indexes of entries whose last bytes are not what was written, or are not there. */
function wrongParts({ store, written }: Filled): number[] {
  const isWrong = ({ index, data }: LogEntry): boolean => {
    try {
      const from = Math.floor(data.length / 2);
      const part = store.part(index, from, data.length) ?? Buffer.alloc(0);
      return Buffer.compare(part, data.subarray(from)) !== 0;
    } catch (error) {
      if (error instanceof LogError && error.code === "LOG_CORRUPT") return true;
      throw error;
    }
  };
  return written.filter(isWrong).map(({ index }) => index);
}

describe("an entry that is damaged under an open log", () => {
  test.each(["bytes", "end"])("is read by parts of the new file; what was wrong: %s", (what) => {
    const log = filled();
    const { machine, written } = log;
    expect(wrongParts(log)).toEqual([]);
    if (what === "end") machine.fileSystem.truncate(pathOf(log, 2), 30_000);
    else machine.fileSystem.damage(pathOf(log, 2), 30_000, new Uint8Array(1_000).fill(0xee));
    const [first = 0] = wrongParts(log);
    expect(log.store.sealed.idWith(first)).toBe(2);

    repair(log, 2);

    expect(wrongParts(log)).toEqual([]);
    // Nor is one read that is trimmed away, of a file that is there still or used again.
    const base = { ...log.store.base(), index: first, term: 3 };
    log.store.trim(base, () => {});
    const trimmed = written.slice(0, first).map(({ index }) => index);
    expect(wrongParts(log)).toEqual(trimmed);
    machine.settle();
    expect(wrongParts(log)).toEqual(trimmed);
  });

  test("is found as it is read, with its index, and after a repair it is what it was", () => {
    const log = filled();
    const { machine, store, written } = log;
    machine.fileSystem.damage(pathOf(log, 2), 30_000, new Uint8Array(8).fill(0xee));
    const lost = written.find(({ index }) => errorAt(store, index) !== undefined);
    expect(errorAt(store, lost?.index ?? 0)).toMatchObject({
      code: "LOG_CORRUPT",
      file: pathOf(log, 2),
      index: lost?.index,
    });
    expect(store.sealed.idWith(lost?.index ?? 0)).toBe(2);
    expect(scrub(store)).toHaveLength(1);

    expect(repair(log, 2)).toMatchObject({ fetchedCount: 1 });

    demandWhole(store, written);
    expect(scrub(store)).toEqual([]);
    store.close(() => {});
    machine.settle();
    demandWhole(machine.open(), written);
  });

  test("does not keep those before it from being read", () => {
    const log = filled();
    const { machine, store, written } = log;
    machine.fileSystem.damage(pathOf(log, 1), 30_000, new Uint8Array(8).fill(0xee));
    const lost = written.find(({ index }) => errorAt(store, index) !== undefined)?.index ?? 0;
    const read = store.entries({ low: lost - 5, high: lost + 5, bytesMax: 100_000 });
    expect(read?.map(({ index }) => index)).toEqual([5, 4, 3, 2, 1].map((back) => lost - back));
  });
});

test.each(["cut", "first", "header", "many", "both"] as const)("a scrub finds: %s", (kind) => {
  const log = filled();
  const { machine, store, written } = log;
  damageFile(machine, pathOf(log, 2), new Prng(3), kind);
  expect(scrub(store).map(({ file }) => file)).toEqual([pathOf(log, 2)]);
  expect(repair(log, 2)).toMatchObject({ file: pathOf(log, 2) });
  expect(scrub(store)).toEqual([]);
  demandWhole(store, written);
});

test("a file that is trimmed meanwhile needs no repair", () => {
  const log = filled();
  const { machine, store, written } = log;
  machine.fileSystem.damage(pathOf(log, 2), 30_000, new Uint8Array(8).fill(0xee));
  let result: SegmentRepaired | Error | undefined;
  store.sealed.repair(2, peerWith(machine, written).fetch, (outcome) => {
    result = outcome;
  });
  store.trim({ index: 440, term: 3, configuration: new Uint8Array(0) }, () => {});
  machine.settle();
  expect(result).toBeInstanceOf(LogError);
  expect(machine.failure).toBe(undefined);
  store.close(() => {});
  machine.settle();
  expect(machine.open().firstIndex()).toBe(441);
});

test("a file all of whose entries were replaced later does not take those before it along", () => {
  const machine = made(1, { tailBytesMax: 0 });
  const store = machine.open();
  const written = fillReplaced(machine, store);
  expect(repair({ machine, store, written }, 2)).toMatchObject({ fetchedCount: 0 });
  machine.crash("process");
  demandWhole(machine.open(), written);
});

test("a repair begins while a rewrite waits for the disk", () => {
  const log = filled(1, 0);
  const { machine, store } = log;
  machine.holdSyncs();
  store.append(batch({ entries: entries(451, 1, 3) }), () => {});
  store.append(batch({ hardState: hardState(4), entries: entries(50, 1, 4) }), () => {});
  let result: SegmentRepaired | Error | undefined;
  store.sealed.repair(2, peerWith(machine, log.written).fetch, (outcome) => {
    result = outcome;
  });
  machine.releaseSyncs();
  machine.settle();
  expect(result).toMatchObject({ fetchedCount: 0 });
  machine.crash("process");
  expect(machine.open().lastIndex()).toBe(50);
});

/** Repairs while the disk does not answer for the newest segment, and crashes. */
function crashed(seed: number, begin: (store: SegmentLogStore) => void): SegmentLogStore {
  const log = filled(seed, 0);
  const { machine, store, written } = log;
  machine.fileSystem.damage(pathOf(log, 2), 30_000, new Uint8Array(8).fill(0xee));
  machine.holdSyncs(pathOf(log, 4));
  begin(store);
  machine.step();
  store.sealed.repair(2, peerWith(machine, written).fetch, () => {});
  machine.settle();
  machine.crash("power");
  return machine.open();
}

describe("a crash as a file was made anew before the disk knows", () => {
  const seeds = Array.from({ length: 20 }, (_, i) => i + 1);
  const configuration = new Uint8Array(0);

  test.each(seeds)("that the log is trimmed (%d)", (seed) => {
    const store = crashed(seed, (log) => {
      log.trim({ index: 250, term: 3, configuration }, () => {});
    });
    expect([1, 251]).toContain(store.firstIndex());
  });

  test.each(seeds)("that a snapshot replaces it (%d)", (seed) => {
    const store = crashed(seed, (log) => {
      const reset = { index: 250, term: 4, configuration };
      log.append(batch({ hardState: hardState(4, 0), reset }), () => {});
    });
    expect([1, 251]).toContain(store.firstIndex());
  });

  test.each(seeds)("that its end is replaced (%d)", (seed) => {
    const store = crashed(seed, (log) => {
      const replaced = entries(200, 1, 4);
      log.append(batch({ hardState: hardState(4, 0), entries: replaced }), () => {});
    });
    expect([200, 450]).toContain(store.lastIndex());
  });
});

test("closing the log calls a repair off that waits for others", () => {
  const log = filled();
  const { machine, store } = log;
  machine.fileSystem.damage(pathOf(log, 2), 30_000, new Uint8Array(8).fill(0xee));
  let result: SegmentRepaired | Error | undefined;
  let isClosed = false;
  store.sealed.repair(
    2,
    () => {},
    (outcome) => {
      result = outcome;
    },
  );
  machine.settle();
  store.close(() => {
    isClosed = true;
  });
  machine.settle();
  expect(isClosed).toBe(true);
  expect(result).toMatchObject({ code: "LOG_CLOSED" });
  expect(machine.files().some((name) => name.endsWith(".tmp"))).toBe(false);
});

test("a disk that refuses the new file leaves the old one, and the log goes on", () => {
  for (const refused of ["create", "write", "sync", "rename"] as const) {
    const log = filled();
    const { machine, store } = log;
    machine.fileSystem.damage(pathOf(log, 2), 30_000, new Uint8Array(8).fill(0xee));
    machine.fileSystem.fault = ({ operation, path }) =>
      operation === refused && (operation === "rename" || path.endsWith("repair.tmp"))
        ? new Error("EIO")
        : undefined;
    expect(repair(log, 2)).toBeInstanceOf(Error);
    machine.fileSystem.fault = undefined;
    expect(machine.failure).toBe(undefined);
    expect(scrub(store)).toHaveLength(1);
    expect(repair(log, 2)).toMatchObject({ file: pathOf(log, 2) });
    demandWhole(store, log.written);
  }
});

describe("a crash at any moment of a repair", () => {
  test.each(["process", "power"] as const)(
    "%s",
    (kind) => {
      const ends: unknown[] = [];
      for (let steps = 0; ends.length === 0; steps++) {
        const log = filled(steps + 1);
        const { machine, store, written } = log;
        const path = pathOf(log, 2);
        machine.fileSystem.damage(path, 30_000, new Uint8Array(20_000).fill(0xee));
        const damaged = Buffer.from(machine.fileSystem.bytesOf(path));
        store.sealed.repair(2, peerWith(machine, written).fetch, (end) => ends.push(end));
        for (let i = 0; i < steps; i++) machine.step();
        machine.crash(kind);

        const isRepaired = !damaged.equals(machine.fileSystem.bytesOf(path));
        const again = machine.open();
        expect(again.hardState()).toMatchObject({ currentTerm: 3, votedFor: 2 });
        expect(scrub(again)).toHaveLength(isRepaired ? 0 : 1);
        if (isRepaired) demandWhole(again, written);
      }
    },
    60_000,
  );
});

describe("random histories that go on while segments are made anew", () => {
  const seeds = Array.from({ length: 100 }, (_, i) => i + 1);
  test.each(seeds)("seed %d", (seed) => {
    liveOnAndOn(seed, "sync");
  });
  test.each(seeds)("seed %d, synced later", (seed) => {
    liveOnAndOn(seed, "async");
  });
});

function liveOnAndOn(seed: number, flush: "sync" | "async"): void {
  const prng = new Prng(seed);
  const machine = made(seed, { tailBytesMax: 0 });
  if (flush === "async") machine.flushLater(prng.pick([1, 1_000, 20_000, 1e9]));
  const driver = new Driver(machine, prng);
  for (let life = 0; life < 4; life++) {
    live(machine, driver, prng);
    machine.settle();
    driver.crash();
    // One that was trimmed is not read through any more, and may still be there.
    expect(repairStopped(machine, driver.history.latest.entries).error).toBe(undefined);
    driver.restart();
  }
  expect(same(driver.history.latest, seen(driver.store))).toBe(true);
}

/** Acts, damages, repairs, all at once; at the end nothing is damaged. */
function live(machine: Machine, driver: Driver, prng: Prng): void {
  const { store } = driver;
  let busy = 0;
  const mend = (id: number): void => {
    const { fetch } = peerWith(machine, driver.history.latest.entries);
    busy += 1;
    store.sealed.repair(id, fetch, () => {
      busy -= 1;
    });
  };
  for (let i = 0; i < 120; i++) {
    driver.act();
    for (let steps = prng.below(6); steps > 0; steps--) machine.step();
    const ids = store.sealed.ids();
    if (busy > 0 || ids.length === 0 || !prng.chance(0.3)) continue;
    const id = prng.pick(ids);
    const path = `/log/${id.toString(16).padStart(16, "0")}.log`;
    if (prng.chance(0.7)) damageFile(machine, path, prng, "many");
    mend(id);
  }
  machine.settle();
  for (const error of scrub(store)) {
    const id = Number.parseInt(error.file?.slice(-20, -4) ?? "", 16);
    mend(id);
    machine.settle();
  }
  expect(busy).toBe(0);
  expect(scrub(store)).toEqual([]);
}
