// Goal: in flush mode `async` entries are answered when they are written, and synced soon after; a
// promise is synced before its answer; and the log knows what is on the disk.
// Method: a log on the file system that keeps apart what is not synced, driven step by step.

import { describe, expect, test } from "vitest";
import type { SegmentLogStore } from "../src/index.ts";
import { batch, contents, entries, hardState, type Machine, made } from "./kit/disk.ts";

/** A log that syncs after 2000 bytes, or when time is up. */
function opened(options: Record<string, unknown> = {}): {
  machine: Machine;
  store: SegmentLogStore;
} {
  const machine = made(1, options);
  machine.flushLater(2_000);
  return { machine, store: machine.open() };
}

/** Of the disk, in the order in which it was asked: `write` and `sync`. */
function operations(machine: Machine): string[] {
  const seen: string[] = [];
  machine.fileSystem.fault = ({ operation, path }) => {
    if (path.endsWith("1.log") && operation !== "read") seen.push(operation);
    return undefined;
  };
  return seen;
}

/** Steps until it is answered. */
function append(
  machine: Machine,
  store: SegmentLogStore,
  parts: Parameters<typeof batch>[0],
): void {
  untilDone(machine, (done) => {
    store.append(batch(parts), done);
  });
}

function untilDone(machine: Machine, begin: (done: () => void) => void): void {
  const answers: true[] = [];
  begin(() => answers.push(true));
  while (answers.length === 0 && machine.step());
  expect(answers).toEqual([true]);
}

test("entries are answered without a sync, which follows when time is up", () => {
  const { machine, store } = opened();
  machine.settle();
  const seen = operations(machine);
  append(machine, store, { entries: entries(1, 2) });
  append(machine, store, { entries: entries(3, 1) });
  expect(seen).toEqual(["write", "write"]);
  expect(store.status().syncedIndex).toBe(0);
  machine.ring();
  machine.settle();
  expect(seen).toEqual(["write", "write", "sync"]);
  expect(store.status().syncedIndex).toBe(3);
});

test("a sync follows after so many bytes, and writes go on meanwhile", () => {
  const { machine, store } = opened();
  machine.settle();
  const seen = operations(machine);
  append(machine, store, { entries: entries(1, 1, 1, 2_100) });
  expect(seen).toEqual(["write", "sync"]);
  append(machine, store, { entries: entries(2, 1) });
  expect(seen).toEqual(["write", "sync", "write"]);
});

test("a disk that does not keep up holds writes back: what is at risk is bounded", () => {
  const { machine, store } = opened();
  machine.settle();
  machine.holdSyncs();
  let answered = 0;
  for (let index = 1; index <= 9; index++) {
    store.append(batch({ entries: entries(index, 1, 1, 1_500) }), () => (answered += 1));
    machine.settle();
  }
  // Two until a sync is due, and two while it is under way.
  expect(answered).toBe(4);
  machine.releaseSyncs();
  machine.settle();
  expect(answered).toBe(9);
});

test("a term and a vote are on the disk before they are answered, and all before them", () => {
  for (const promise of [hardState(2), hardState(1, 0, 3)]) {
    const { machine, store } = opened();
    append(machine, store, { hardState: hardState(1) });
    append(machine, store, { entries: entries(1, 3) });
    append(machine, store, { hardState: promise });
    expect(store.status().syncedIndex).toBe(3);
    machine.crash("power");
    const again = machine.open();
    expect(again.hardState()).toMatchObject({
      currentTerm: promise.currentTerm,
      votedFor: promise.votedFor,
    });
    expect(contents(again)).toHaveLength(3);
  }
});

test("a trim is on the disk before it is answered", () => {
  const { machine, store } = opened();
  append(machine, store, { hardState: hardState(1, 3), entries: entries(1, 5) });
  untilDone(machine, (done) => {
    store.trim({ index: 3, term: 1, configuration: Uint8Array.of(1) }, done);
  });
  machine.crash("power");
  const again = machine.open();
  expect([again.firstIndex(), again.lastIndex()]).toEqual([4, 5]);
});

test("entries outlive the process without a sync; a power loss takes them from the end", () => {
  const { machine, store } = opened();
  append(machine, store, { hardState: hardState(1), entries: entries(1, 4) });
  append(machine, store, { entries: entries(5, 4) });
  machine.crash("process");
  const second = machine.open();
  expect(contents(second)).toHaveLength(8);
  append(machine, second, { entries: entries(9, 50, 1, 20) });
  machine.crash("power");
  const found = contents(machine.open());
  expect(found.length).toBeGreaterThanOrEqual(8);
  expect(found.map(({ index }) => index)).toEqual(found.map((_, i) => i + 1));
});

test("entries that are rewritten while they are synced do not count as synced", () => {
  const { machine, store } = opened();
  machine.settle();
  append(machine, store, { entries: entries(1, 5) });
  machine.ring();
  append(machine, store, { entries: entries(3, 1, 2) });
  machine.settle();
  expect(store.status().syncedIndex).toBe(2);
  machine.ring();
  machine.settle();
  expect(store.status().syncedIndex).toBe(3);
});

test("a full segment is synced before the next one is begun", () => {
  const { machine, store } = opened();
  machine.settle();
  machine.flushLater(1e9);
  for (let index = 1; index <= 40; index++)
    append(machine, store, { entries: entries(index, 1, 1, 3_000) });
  machine.settle();
  expect(store.status().segmentCount).toBeGreaterThan(2);
  machine.crash("power");
  expect(contents(machine.open()).length).toBeGreaterThan(15);
});

test("an idle log is synced, and marked as such", () => {
  const { machine, store } = opened();
  append(machine, store, { entries: entries(1, 5) });
  store.mark();
  machine.settle();
  expect(store.status().syncedIndex).toBe(5);
  machine.crash("power");
  // A log that is marked is not cut: damage is damage.
  const [file] = machine.files().filter((path) => path.endsWith("1.log"));
  const bytes = machine.fileSystem.bytesOf(file ?? "");
  const at = bytes.findIndex((byte, i) => byte === 5 && bytes[i + 7] === 5 && i > 4_096);
  bytes[at] = 77;
  expect(() => machine.open()).toThrow("damaged");
});

test("closing syncs everything", () => {
  const { machine, store } = opened();
  append(machine, store, { entries: entries(1, 5) });
  let isClosed = false;
  store.append(batch({ entries: entries(6, 1) }), () => undefined);
  store.close(() => {
    isClosed = true;
  });
  machine.settle();
  expect(isClosed).toBe(true);
  machine.crash("power");
  expect(contents(machine.open())).toHaveLength(6);
});

test("a sync that fails behind an answer ends the log", () => {
  const { machine, store } = opened();
  append(machine, store, { entries: entries(1, 5) });
  machine.settle();
  machine.fileSystem.fault = ({ operation }) =>
    operation === "sync" ? new Error("EIO") : undefined;
  let answered = 0;
  store.append(batch({ entries: entries(6, 1) }), () => (answered += 1));
  machine.ring();
  machine.settle();
  expect(machine.failure).toMatchObject({ code: "LOG_FAILED", hasLostWrites: true });
  expect(store.isOpen()).toBe(false);
  let isClosed = false;
  store.close(() => {
    isClosed = true;
  });
  machine.settle();
  expect(isClosed).toBe(true);
  expect(answered).toBeLessThanOrEqual(1);
});

test("entries that are rewritten before their sync begins do not count as synced", () => {
  const { machine, store } = opened();
  machine.settle();
  append(machine, store, { entries: entries(1, 5) });
  machine.holdSyncs();
  store.append(batch({ entries: entries(3, 2, 2) }), () => undefined);
  // The rewrite is on its way as the time of what it replaces is up.
  machine.ring();
  machine.settle();
  expect(store.lastIndex()).toBe(4);
  machine.releaseSyncs();
  machine.step();
  expect(store.status().syncedIndex).toBe(2);
});

test("a promise waits for the sync that is under way: its failure is told to one of two", () => {
  const { machine, store } = opened();
  append(machine, store, { hardState: hardState(1), entries: entries(1, 1) });
  append(machine, store, { entries: entries(2, 3) });
  machine.holdSyncs();
  let isFirst = true;
  machine.fileSystem.fault = ({ operation }) => {
    if (operation !== "sync" || !isFirst) return undefined;
    isFirst = false;
    return new Error("EIO");
  };
  machine.ring();
  let isAnswered = false;
  store.append(batch({ hardState: hardState(2, 0, 3) }), () => {
    isAnswered = true;
  });
  machine.settle();
  // The later one may come first.
  machine.releaseLastSync();
  machine.settle();
  expect(isAnswered).toBe(false);
  machine.releaseSyncs();
  machine.settle();
  expect(isAnswered).toBe(false);
  expect(machine.failure).toMatchObject({ code: "LOG_FAILED", hasLostWrites: true });
});

/** A log that fails to write while a sync is under way. */
function failingInSync(answers: { readonly sync?: Error; readonly write: Error }): Machine {
  const { machine, store } = opened();
  machine.settle();
  append(machine, store, { entries: entries(1, 3) });
  machine.holdSyncs();
  machine.fileSystem.fault = ({ operation }) => (operation === "sync" ? answers.sync : undefined);
  machine.ring();
  machine.fileSystem.fault = ({ operation }) => (operation === "write" ? answers.write : undefined);
  store.append(batch({ entries: entries(4, 1) }), () => undefined);
  machine.settle();
  expect(machine.lateSync).toBeUndefined();
  return machine;
}

describe("a log that fails as entries are synced", () => {
  test.each([
    ["are synced", "kept", {}],
    ["are not", "lost", { sync: new Error("EIO") }],
  ])("says that they may be lost, and that they %s", (_name, outcome, answers) => {
    const machine = failingInSync({ write: new Error("EIO"), ...answers });
    expect(machine.failure).toMatchObject({ code: "LOG_FAILED", hasLostWrites: true });
    machine.releaseSyncs();
    machine.settle();
    expect(machine.lateSync).toBe(outcome);
  });

  test("as its disk is full has lost nothing", () => {
    const full = Object.assign(new Error("no space left"), { code: "ENOSPC" });
    const machine = failingInSync({ write: full });
    expect(machine.failure).toMatchObject({ code: "LOG_FAILED", hasLostWrites: false });
  });
});

test.each([
  ["may have lost what it answered", new Error("EIO"), true],
  ["has lost nothing if its disk is full", Object.assign(new Error(), { code: "ENOSPC" }), false],
])("a log that fails to append between syncs %s", (_name, failure, hasLostWrites) => {
  const { machine, store } = opened();
  machine.settle();
  append(machine, store, { entries: entries(1, 3) });
  // The block in which they end is written again by the next append, past the cache.
  machine.fileSystem.fault = ({ operation }) => (operation === "write" ? failure : undefined);

  store.append(batch({ entries: entries(4, 1) }), () => undefined);
  machine.settle();

  expect(machine.failure).toMatchObject({ code: "LOG_FAILED", hasLostWrites });
});

test("a log that fails as it is marked, and is closed, comes to its end", () => {
  const { machine, store } = opened();
  machine.settle();
  append(machine, store, { entries: entries(1, 3) });
  machine.holdSyncs();
  machine.fileSystem.fault = ({ operation }) =>
    operation === "sync" ? new Error("EIO") : undefined;
  store.mark();
  let isClosed = false;
  store.close(() => {
    isClosed = true;
  });
  machine.settle();
  machine.releaseSyncs();
  machine.settle();
  expect(machine.failure).toMatchObject({ code: "LOG_FAILED", hasLostWrites: true });
  expect(isClosed).toBe(true);
});
