// Goal: what happens at the edges of a log's life: closing, failing, calling back while called.
// Method: a file system in memory whose callbacks run one by one. Each test is a review's finding.

import { describe, expect, test } from "vitest";
import { LogError, type SegmentLogStore } from "../src/index.ts";
import type { Operation } from "../src/testing/index.ts";
import { batch, DIRECTORY, entries, entry, hardState, Machine, made } from "./kit/disk.ts";

function settled(machine: Machine): SegmentLogStore {
  const store = machine.open();
  machine.settle();
  return store;
}

/** Closes, and tells whether that came to its end. */
function close(machine: Machine, store: SegmentLogStore): boolean {
  let isClosed = false;
  store.close(() => {
    isClosed = true;
  });
  machine.settle();
  return isClosed;
}

function failOnce(machine: Machine, which: Operation): void {
  let isDone = false;
  machine.fileSystem.fault = ({ operation }) => {
    if (isDone || operation !== which) return undefined;
    isDone = true;
    return new Error("EIO");
  };
}

/** Fills segments, and trims most of them. */
function trimmed(machine: Machine, store: SegmentLogStore, onDurable: () => void): void {
  store.append(batch({ entries: entries(1, 400, 1, 600) }), () => {});
  machine.settle();
  store.trim({ index: 390, term: 1, configuration: new Uint8Array(0) }, onDurable);
}

describe("closing", () => {
  test("says last of all that everything is synced, so that later damage is no torn tail", () => {
    const machine = made();
    const store = settled(machine);
    store.append(batch({ entries: entries(1, 3) }), () => {});
    machine.crash("process");
    const again = machine.open();
    again.append(batch({ entries: [entry(4)] }), () => {});
    expect(close(machine, again)).toBe(true);

    const path = `${DIRECTORY}/0000000000000001.log`;
    const end = machine.fileSystem.bytesOf(path).findLastIndex((byte) => byte !== 0);
    machine.fileSystem.damage(path, end - 130, Uint8Array.of(0xff));

    expect(() => machine.open()).toThrow(/damaged/u);
  });

  test("twice calls back twice", () => {
    const machine = made();
    const store = settled(machine);
    store.append(batch({ entries: [entry(1)] }), () => {});
    let count = 0;
    for (let i = 0; i < 2; i++) store.close(() => (count += 1));
    machine.settle();
    store.close(() => (count += 1));
    expect(count).toBe(3);
  });

  test("ends, and says so, when the segment that it waits for cannot be made", () => {
    const machine = made();
    const store = machine.open();
    machine.fileSystem.fault = ({ operation, path }) =>
      operation === "sync" && path.endsWith(".tmp") ? new Error("EIO") : undefined;
    for (let index = 1; index <= 100; index++)
      store.append(batch({ entries: [entry(index, 1, 3_000)] }), () => {});
    expect(close(machine, store)).toBe(true);
    expect(machine.failure?.code).toBe("LOG_FAILED");
    machine.fileSystem.fault = undefined;
    machine.open();
  });

  test("is the end of reading, too", () => {
    const machine = made();
    const store = settled(machine);
    store.append(batch({ entries: [entry(1)] }), () => {});
    close(machine, store);
    expect(() => store.entries({ low: 1, high: 2, bytesMax: 1 })).toThrow(LogError);
    expect(store.isOpen()).toBe(false);
  });
});

describe("after a failure", () => {
  test.each(["remove", "close", "rename"] as const)("of a %s nothing is answered", (which) => {
    const machine = made();
    const store = settled(machine);
    let answers = 0;
    trimmed(machine, store, () => (answers += 1));
    failOnce(machine, which);
    machine.settle();
    for (let index = 401; store.isOpen() && index < 900; index++) {
      store.append(batch({ entries: [entry(index, 1, 600)] }), () => {
        expect(machine.failure).toBeUndefined();
      });
      machine.settle();
    }
    expect(machine.failure?.code).toBe("LOG_FAILED");
    expect(answers).toBeLessThanOrEqual(1);
    machine.fileSystem.fault = undefined;
    expect(close(machine, store)).toBe(true);
  });

  test("no segment is made any more, and the file of the one that was is put away", () => {
    const machine = made(1, { segmentBytes: 4 << 20 });
    const store = machine.open();
    machine.fileSystem.fault = ({ operation, path }) =>
      operation === "write" && path.endsWith(".log") ? new Error("EIO") : undefined;
    store.append(batch({ entries: [entry(1)] }), () => {});
    machine.settle();
    expect(machine.failure?.code).toBe("LOG_FAILED");
    expect(machine.files()).toEqual([`${DIRECTORY}/0000000000000001.log`]);
  });

  test("to read the log has stopped", () => {
    const machine = made(1, { tailBytesMax: 0 });
    const store = settled(machine);
    store.append(batch({ entries: entries(1, 50, 1, 500) }), () => {});
    machine.settle();
    failOnce(machine, "read");
    expect(() => store.entries({ low: 1, high: 9, bytesMax: 9e9 })).toThrow(/cannot be read/u);
    expect([machine.failure?.code, store.isOpen()]).toEqual(["LOG_FAILED", false]);
  });
});

describe("calling back", () => {
  test("what is appended by an answer is answered after all that came before it", () => {
    const machine = made();
    const store = settled(machine);
    const order: string[] = [];
    store.append(batch({ entries: entries(1, 3) }), () => {
      order.push("entries");
      store.append(batch({ hardState: hardState(0, 1) }), () => {
        order.push("first commit");
        store.append(batch({ hardState: hardState(0, 3) }), () => order.push("third commit"));
      });
      store.append(batch({ hardState: hardState(0, 2) }), () => order.push("second commit"));
    });
    machine.settle();
    expect(order).toEqual(["entries", "first commit", "second commit", "third commit"]);
  });

  test("an answer may append and close: what it appended is written before", () => {
    const machine = made();
    const store = settled(machine);
    store.append(batch({ entries: entries(1, 3) }), () => {});
    machine.settle();
    let isDurable = false;
    let wasDurable = false;
    store.append(batch({ hardState: hardState(0, 2) }), () => {
      store.append(batch({ entries: [entry(4)] }), () => (isDurable = true));
      store.close(() => (wasDurable = isDurable));
    });
    machine.settle();
    expect([isDurable, wasDurable]).toEqual([true, true]);
  });
});

test("a mark after a restart says that what was recovered is synced", () => {
  const machine = made();
  const store = settled(machine);
  store.append(batch({ entries: entries(1, 3) }), () => {});
  machine.settle();
  machine.crash("power");
  const again = settled(machine);
  again.mark();
  machine.settle();
  machine.crash("power");
  const path = `${DIRECTORY}/0000000000000001.log`;
  machine.fileSystem.damage(path, 4096 + 104 + 48 + 40, Uint8Array.of(0xff));

  expect(() => machine.open()).toThrow(/damaged/u);
});

test("what is rewritten is not synced until its successor is", () => {
  const machine = made();
  const store = settled(machine);
  store.append(batch({ hardState: hardState(1), entries: entries(1, 10) }), () => {});
  machine.settle();
  store.append(batch({ hardState: hardState(2), entries: entries(5, 8, 2) }), () => {});
  expect(store.status().syncedIndex).toBe(4);
  machine.settle();
  expect(store.status().syncedIndex).toBe(12);
});

test("a reset that a crash cut short leaves its base committed", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const machine = made(seed);
    const store = settled(machine);
    store.append(batch({ hardState: hardState(1, 2), entries: entries(1, 20, 1, 400) }), () => {});
    machine.settle();
    const base = { index: 50, term: 1, configuration: new Uint8Array(100) };
    const last = entries(51, 20, 1, 400);
    store.append(batch({ hardState: hardState(1, 50), reset: base, entries: last }), () => {});
    machine.crash("power");
    const again = machine.open();
    expect(again.hardState().commitIndex).toBeGreaterThanOrEqual(again.base().index);
  }
});

test("what a reset replaced stays replaced when its segment is sealed without an entry", () => {
  const machine = made();
  const store = settled(machine);
  store.append(batch({ hardState: hardState(1, 100), entries: entries(1, 300, 1, 500) }), () => {});
  const base = { index: 150, term: 1, configuration: new Uint8Array(0) };
  store.append(batch({ hardState: hardState(1, 150), reset: base }), () => {});
  machine.settle();
  const { segmentCount } = store.status();
  for (let term = 2; store.status().segmentCount < segmentCount + 2; term++) {
    store.append(batch({ hardState: hardState(term, 150, 1) }), () => {});
    machine.settle();
  }
  machine.crash("power");

  expect(machine.open().lastIndex()).toBe(150);
});

test.each(["read", "open", "sync"] as const)(
  "a %s that fails while it opens is an error",
  (which) => {
    const machine = made();
    failOnce(machine, which);
    expect(() => machine.open()).toThrow(expect.objectContaining({ code: "LOG_FAILED" }));
    machine.fileSystem.fault = undefined;
    machine.open();
  },
);

test("a disk that fails as the log is made is an error, and it can be made later", () => {
  const machine = new Machine();
  failOnce(machine, "sync");
  expect(() => machine.create()).toThrow(expect.objectContaining({ code: "LOG_FAILED" }));
  machine.create();
  machine.open();
});

test("sealed segments that are gone are missed, though the last one holds no entry", () => {
  const machine = made();
  const store = settled(machine);
  store.append(batch({ hardState: hardState(1), entries: entries(1, 300, 1, 500) }), () => {});
  machine.settle();
  const isAlone = (): boolean => {
    const active = machine.files().at(-2) as string;
    const bytes = Buffer.from(machine.fileSystem.bytesOf(active));
    // No entry's frame: kind 1.
    return ![...Array(20).keys()].some((i) => bytes.readUInt32LE(4096 + 104 * i + 12) === 1);
  };
  for (let term = 2; !isAlone(); term++) {
    store.append(batch({ hardState: hardState(term, 0, 1) }), () => {});
    machine.settle();
  }
  machine.crash("process");
  const files = machine.files();
  const before = files.length;
  machine.fileSystem.lose(files.at(-3) as string);

  expect(() => machine.open()).toThrow(/in no segment/u);
  // What may yet be mended is left alone.
  expect(machine.files()).toHaveLength(before - 1);
});

/** Files that were opened and not closed, as the names of those operations say. */
function openCount(machine: Machine, failsAt: number): () => number {
  let count = 0;
  const first = machine.fileSystem.operationCount;
  machine.fileSystem.fault = ({ operation, number }) => {
    if (number === first + failsAt && operation !== "close") return new Error("EIO");
    if (operation === "open" || operation === "create") count += 1;
    if (operation === "close") count -= 1;
    return undefined;
  };
  return () => count;
}

describe("an error at any operation leaves no file open", () => {
  test("as a log is made", () => {
    for (let failsAt = 0, isMade = false; !isMade; failsAt++) {
      const machine = new Machine();
      const count = openCount(machine, failsAt);
      try {
        machine.create();
        isMade = true;
      } catch (error) {
        expect(error).toMatchObject({ code: "LOG_FAILED" });
      }
      expect([failsAt, count()]).toEqual([failsAt, 0]);
    }
  });

  test("as a log is opened, makes a segment, and is closed", () => {
    for (let failsAt = 0, isOver = false; !isOver; failsAt++) {
      const machine = made();
      machine.fileSystem.create(`${DIRECTORY}/spare.tmp`).close();
      const count = openCount(machine, failsAt);
      const begun = machine.fileSystem.operationCount;
      try {
        const store = machine.open();
        machine.settle();
        isOver = machine.fileSystem.operationCount < begun + failsAt;
        store.close(() => undefined);
        machine.settle();
      } catch (error) {
        expect(error).toMatchObject({ code: "LOG_FAILED" });
      }
      expect([failsAt, count()]).toEqual([failsAt, 0]);
    }
  });
});

test("an error of the disk says which file, and what the system said", () => {
  const machine = made();
  const store = settled(machine);
  store.append(batch({ entries: entries(1, 300, 1, 600) }), () => {});
  machine.settle();
  close(machine, store);
  const [, second = ""] = machine.files().filter((path) => path.endsWith(".log"));
  machine.fileSystem.fault = ({ operation, path }) =>
    operation === "read" && path === second ? new Error("EIO: i/o error, read") : undefined;
  expect(() => machine.open()).toThrow(
    `a segment cannot be read (${second}): EIO: i/o error, read`,
  );
});
