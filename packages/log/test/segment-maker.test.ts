// Goal: the next segment costs the one that is being written little, and nothing is lost by that.
// Method: a file system in memory; what is asked of the spare file is counted.

import { expect, test } from "vitest";
import type { SegmentLogStore } from "../src/index.ts";
import { batch, entries, type Machine, type MachineOptions, made } from "./kit/disk.ts";

const PARTS = 8;
/** Entries of 1000 bytes that fill more than half of a segment of 64 KiB, and less than it. */
const HALF_COUNT = 40;

interface Making {
  readonly machine: Machine;
  readonly store: SegmentLogStore;
  /** Writes to the spare file so far. */
  readonly writes: () => number;
}

/** A log that makes its next segment, and pauses where it may. */
function making(options: MachineOptions = {}): Making {
  const machine = made(1, options);
  machine.hasPauses = true;
  let writes = 0;
  machine.fileSystem.fault = ({ operation, path }) => {
    if (operation === "write" && path.endsWith("spare.tmp")) writes += 1;
    return undefined;
  };
  const store = machine.open();
  machine.settle();
  return { machine, store, writes: () => writes };
}

function appendHalf(store: SegmentLogStore, from = 1): void {
  store.append(batch({ entries: entries(from, HALF_COUNT, 1, 1_000) }), () => {});
}

test("a segment gets its zeros part by part, with pauses", () => {
  const { machine, store, writes } = making();
  for (let part = 1; part < PARTS; part++) {
    expect(writes()).toBe(part);
    expect(store.status().segmentCount).toBe(1);
    machine.ring();
    machine.settle();
  }
  // All of its zeros, and its header.
  machine.ring();
  machine.settle();
  expect(writes()).toBe(PARTS + 1);
  expect(store.status().segmentCount).toBe(2);
});

test("a log that fills fast gets a segment with a hole at once, and loses nothing in it", () => {
  const { machine, store, writes } = making();
  appendHalf(store);
  machine.settle();
  expect(store.status().segmentCount).toBe(1);
  // The pause is over, and the rest takes none.
  machine.ring();
  machine.settle();
  expect(store.status().segmentCount).toBe(2);
  expect(writes()).toBe(4);
  let isDurable = false;
  store.append(batch({ entries: entries(HALF_COUNT + 1, HALF_COUNT, 1, 1_000) }), () => {
    isDurable = true;
  });
  machine.settle();
  expect(isDurable).toBe(true);
  machine.crash("power");
  machine.fileSystem.fault = undefined;
  const after = machine.open();
  expect(after.lastIndex()).toBe(2 * HALF_COUNT);
  expect(after.status().segmentCount).toBeGreaterThan(1);
});

test("where there is little room, a segment has no hole, however fast the log fills", () => {
  const { machine, store, writes } = making({ capacityBytes: 10 * 65_536 });
  appendHalf(store);
  machine.settle();
  machine.ring();
  machine.settle();
  expect(store.status().segmentCount).toBe(2);
  expect(writes()).toBe(PARTS + 1);
});

test("a log that is closed in a pause does not wait for it", () => {
  const { machine, store } = making();
  let isClosed = false;
  store.close(() => {
    isClosed = true;
  });
  machine.settle();
  expect(isClosed).toBe(true);
});
