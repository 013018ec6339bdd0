// Goal: after a crash at any point there is a whole snapshot or none, never less than was said to
// be durable, and a transfer goes on.
// Method: one history of writing, receiving and removing; the machine stops at every operation, by
// every callback, and while it recovers; what is found is read, byte by byte.

import { describe, expect, test } from "vitest";
import type { SnapshotStore } from "../src/snapshot-store.ts";
import {
  indexes,
  position,
  read,
  send,
  SnapshotMachine,
  sourceOf,
  stateAt,
} from "./kit/snapshots.ts";

const RECEIVED = sourceOf(20, 450);
/** Sent in pieces that are no chunks. */
const PIECE_BYTES = 700;

/** What was promised about each index: that it is there, or is gone. */
type Promises = Map<number, "there" | "gone">;

/** Writes 10, receives 20, removes 10, writes 30. */
function history(store: SnapshotStore, promises: Promises): void {
  const receive = (): void => {
    const done = (): void => {
      promises.set(20, "there");
      promises.delete(10);
      store.remove(10, () => promises.set(10, "gone"));
      store.write(position(30), [stateAt(30, 350)], () => promises.set(30, "there"));
    };
    send(store.receive(RECEIVED.offer), RECEIVED, done, PIECE_BYTES);
  };
  store.write(position(10), [stateAt(10, 350)], () => {
    promises.set(10, "there");
    receive();
  });
}

function contentOf(index: number): Uint8Array {
  return stateAt(index, index === 20 ? 450 : 350);
}

function demandKept(machine: SnapshotMachine, promises: Promises): SnapshotStore {
  const store = machine.open();
  const found = indexes(store);
  expect(store.damaged()).toEqual([]);
  for (const index of found) expect(read(store, index)?.equals(contentOf(index))).toBe(true);
  for (const [index, promise] of promises)
    expect([index, found.includes(index)]).toEqual([index, promise === "there"]);
  const leftovers = machine.names().filter((name) => !name.endsWith(".snapshot"));
  expect(leftovers.every((name) => name.endsWith(".received.part"))).toBe(true);
  return store;
}

/** Goes on after a crash, as a replica would. */
function goOn(machine: SnapshotMachine, store: SnapshotStore): void {
  if (indexes(store).includes(20)) return;
  const promises: Promises = new Map();
  send(store.receive(RECEIVED.offer), RECEIVED, () => promises.set(20, "there"), PIECE_BYTES);
  machine.settle();
  expect(promises.get(20)).toBe("there");
  machine.crash("power");
  demandKept(machine, promises).close();
}

/** The machine does nothing from an operation on. @returns whether it got that far. */
function stopAt(machine: SnapshotMachine, number: number): () => boolean {
  let isReached = false;
  machine.fileSystem.fault = (event) => {
    if (event.number < number) return undefined;
    isReached = true;
    return new Error("the power is gone");
  };
  return () => isReached;
}

const KINDS = ["power", "process"] as const;

describe.each(KINDS)("by loss of %s", (kind) => {
  const seeds = Array.from({ length: 12 }, (_, i) => i + 1);

  test.each(seeds)("a stop at each operation, seed %d", (seed) => {
    for (let number = 0, isReached = true; isReached; number++) {
      const machine = new SnapshotMachine(seed * 1_000 + number);
      const hasStopped = stopAt(machine, number);
      const promises: Promises = new Map();
      try {
        history(machine.open(), promises);
        machine.settle();
      } catch {
        // The stop was within a call.
      }
      machine.fileSystem.fault = undefined;
      machine.crash(kind);
      isReached = hasStopped();

      goOn(machine, demandKept(machine, promises));
    }
  });

  test.each(seeds)("a stop after each callback, seed %d", (seed) => {
    for (let steps = 0, isOver = false; !isOver; steps++) {
      const machine = new SnapshotMachine(seed * 1_000 + steps);
      const promises: Promises = new Map();
      history(machine.open(), promises);
      for (let step = 0; step < steps && !isOver; step++) isOver = !machine.step();
      machine.crash(kind);

      goOn(machine, demandKept(machine, promises));
    }
  });

  test.each(seeds)("a stop while it recovers from a stop, seed %d", (seed) => {
    for (let number = 0, isReached = true; isReached; number++) {
      const machine = new SnapshotMachine(seed * 1_000 + number);
      const promises: Promises = new Map();
      history(machine.open(), promises);
      for (let step = 0; step < 12 + seed; step++) machine.step();
      machine.crash(kind);
      const hasStopped = stopAt(machine, machine.fileSystem.operationCount + number);
      try {
        machine.open();
      } catch {
        // The stop was within it.
      }
      machine.fileSystem.fault = undefined;
      machine.crash(kind);
      isReached = hasStopped();

      goOn(machine, demandKept(machine, promises));
    }
  });
});

test("a name that no sync has reached yet is synced before anybody counts on it", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const machine = new SnapshotMachine(seed);
    const store = machine.open();
    machine.fileSystem.fault = ({ operation }) =>
      operation === "syncDirectory" ? new Error("EIO") : undefined;
    store.write(position(10), [contentOf(10)], () => undefined);
    machine.settle();
    machine.fileSystem.fault = undefined;
    machine.crash("process");
    expect(indexes(machine.open())).toEqual([10]);

    machine.crash("power");

    demandKept(machine, new Map([[10, "there"]]));
  }
});
