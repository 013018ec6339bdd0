// Goal: snapshots are written in the background and read back as they were, equal states make equal
// files, and a disk that fails stops the store.
// Method: a file system in memory whose callbacks run one by one; one test on a real disk.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeFileSystem } from "@quorumlog/log";
import type { Operation } from "@quorumlog/log/testing";
import type { Configuration } from "@quorumlog/raft";
import { describe, expect, onTestFinished, test } from "vitest";
import { SnapshotError } from "../src/snapshot-error.ts";
import { type SnapshotMeta, SnapshotStore } from "../src/snapshot-store.ts";
import { voting } from "./kit/configurations.ts";
import {
  CHUNK_BYTES,
  indexes,
  pathOf,
  pieces,
  position,
  read,
  send,
  SnapshotMachine,
  sourceOf,
  stateAt,
  written,
} from "./kit/snapshots.ts";

function errorOf(run: () => unknown): SnapshotError {
  try {
    run();
  } catch (error) {
    if (error instanceof SnapshotError) return error;
    throw error;
  }
  throw new Error("nothing was noticed");
}

function groupOf(count: number): Configuration {
  return voting(...Array.from({ length: count }, (_, i) => i + 1));
}

/** For what must not be called. */
function told(): never {
  throw new Error("it has failed");
}

function* broken(): Generator<Uint8Array> {
  yield stateAt(9);
  throw new Error("the state is broken");
}

describe("a snapshot that was written", () => {
  test.each([0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES])(
    "of %d bytes is there after a crash, with its position and its members",
    (bytes) => {
      const machine = new SnapshotMachine();
      const store = machine.open();
      const durable: SnapshotMeta[] = [];
      store.write(position(9), pieces(stateAt(9, bytes), 33), (meta) => durable.push(meta));
      expect(indexes(store)).toEqual([]);
      machine.settle();
      machine.crash("power");

      const again = machine.open();

      expect(durable).toEqual([{ ...position(9), bytes: machine.bytesOf(9).length }]);
      expect(again.list()).toEqual(durable);
      expect(again.newest()).toEqual(durable[0]);
      expect(read(again, 9)?.equals(stateAt(9, bytes))).toBe(true);
    },
  );

  test("has the same bytes on every replica, whatever pieces the state comes in", () => {
    const files = [1, 99, 100, 101, 1_000].map((pieceBytes) => {
      const machine = new SnapshotMachine(pieceBytes);
      const store = machine.open();
      store.write(position(9), pieces(stateAt(9, 777), pieceBytes), () => undefined);
      machine.settle();
      return machine.bytesOf(9).toString("hex");
    });

    expect(new Set(files).size).toBe(1);
  });

  test("is listed with others by index, and read while a newer one is written", () => {
    const machine = written([20, 10, 15]);
    const store = machine.open();
    store.write(position(30), [stateAt(30)], () => undefined);
    machine.step();

    expect(indexes(store)).toEqual([10, 15, 20]);
    expect(read(store, 15)?.equals(stateAt(15))).toBe(true);
    machine.settle();
    expect(indexes(store)).toEqual([10, 15, 20, 30]);
    expect(store.openReader(11)).toBeUndefined();
  });

  test("is pulled one chunk at a time, never before the last one is written", () => {
    const machine = new SnapshotMachine();
    const store = machine.open();
    let pulled = 0;
    function* counted(): Generator<Uint8Array> {
      for (const piece of pieces(stateAt(9, 1_000), CHUNK_BYTES)) {
        pulled += 1;
        yield piece;
      }
    }
    store.write(position(9), counted(), () => undefined);

    for (let steps = 0; steps <= 10; steps++) {
      expect(pulled).toBe(steps);
      machine.step();
    }
  });

  test("can be followed by the next from within its callback", () => {
    const machine = new SnapshotMachine();
    const store = machine.open();
    store.write(position(9), [stateAt(9)], () => {
      store.write(position(10), [stateAt(10)], () => undefined);
    });

    machine.settle();

    expect(indexes(store)).toEqual([9, 10]);
    expect(store.isWriting).toBe(false);
  });

  test("is synced before it has its name, and its name before anybody is told", () => {
    const machine = new SnapshotMachine();
    const store = machine.open();
    const order: string[] = [];
    machine.fileSystem.fault = ({ operation }) => {
      if (order.at(-1) !== operation) order.push(operation);
      return undefined;
    };
    store.write(position(9), [stateAt(9)], () => order.push("told"));

    machine.settle();

    expect(order).toEqual(["create", "write", "sync", "close", "rename", "syncDirectory", "told"]);
  });

  test("is synced meanwhile if it is large", () => {
    const machine = new SnapshotMachine();
    const store = machine.open({ chunkBytes: 1 << 20 });
    let syncs = 0;
    machine.fileSystem.fault = ({ operation }) => {
      if (operation === "sync") syncs += 1;
      return undefined;
    };
    store.write(position(9), pieces(new Uint8Array(9 << 20), 1 << 20), () => undefined);

    machine.settle();

    expect(syncs).toBe(3);
  });

  test("names up to 127 members, and no more", () => {
    const machine = new SnapshotMachine();
    const store = machine.open();

    expect(() => {
      store.write({ index: 1, term: 1, configuration: groupOf(128) }, [], () => undefined);
    }).toThrow(RangeError);

    store.write({ index: 1, term: 1, configuration: groupOf(127) }, [], () => undefined);
    machine.settle();
    expect(store.newest()?.configuration).toEqual(groupOf(127));
  });
});

describe("giving up", () => {
  test("a snapshot that is being written leaves nothing, and makes room for another", () => {
    const machine = new SnapshotMachine();
    const store = machine.open();
    let isReturned = false;
    function* endless(): Generator<Uint8Array> {
      try {
        for (;;) yield stateAt(9);
      } finally {
        isReturned = true;
      }
    }
    store.write(position(9), endless(), () => {
      throw new Error("it was given up");
    });
    for (let steps = 0; steps < 5; steps++) machine.step();

    store.abortWrite();
    store.write(position(9), [stateAt(9)], () => undefined);
    machine.settle();

    expect([isReturned, machine.names()]).toEqual([true, [pathOf(9).split("/").at(-1)]]);
    expect(read(store, 9)?.equals(stateAt(9))).toBe(true);
  });

  test("all of it, by closing: nothing is called any more", () => {
    const machine = new SnapshotMachine();
    const store = machine.open();
    store.write(position(9), [stateAt(9)], () => {
      throw new Error("it was closed");
    });
    machine.step();

    store.close();
    store.close();
    machine.settle();

    expect(machine.failures).toEqual([]);
    expect(errorOf(() => store.openReader(9)).code).toBe("SNAPSHOT_CLOSED");
    expect(indexes(machine.open())).toEqual([]);
    expect(machine.names()).toEqual([]);
  });
});

describe("removing", () => {
  test("is durable when it is said to be, and leaves readers alone", () => {
    const machine = written([10, 20, 30]);
    const store = machine.open();
    const reader = store.openReader(10);
    store.readRaw(10, 0, 10);
    let isDone = false;
    store.remove(10, () => {
      isDone = true;
    });

    expect(indexes(store)).toEqual([20, 30]);
    expect(store.readRaw(10, 0, 10)).toHaveLength(0);
    machine.settle();
    expect([isDone, reader?.next()?.length]).toEqual([true, CHUNK_BYTES]);
    machine.crash("power");
    expect(indexes(machine.open())).toEqual([20, 30]);
  });

  test("all but some takes one sync", () => {
    const machine = written([10, 20, 30]);
    const store = machine.open();
    let syncs = 0;
    machine.fileSystem.fault = ({ operation }) => {
      if (operation === "syncDirectory") syncs += 1;
      return undefined;
    };

    store.keepOnly(
      ({ index }) => index === 20,
      () => undefined,
    );
    machine.settle();

    expect([indexes(store), syncs]).toEqual([[20], 1]);
  });
});

describe("raw bytes", () => {
  test("are those of the file, as far as it goes", () => {
    const machine = written([9]);
    const store = machine.open();
    const file = machine.bytesOf(9);

    const parts: Uint8Array[] = [];
    for (let at = 0; at < file.length; at += 1_000) parts.push(store.readRaw(9, at, 1_000));

    expect(Buffer.concat(parts).equals(file)).toBe(true);
    expect(store.readRaw(9, file.length, 10)).toHaveLength(0);
    expect(store.readRaw(8, 0, 10)).toHaveLength(0);
  });
});

describe("a failure", () => {
  const operations: readonly Operation[] = [
    "create",
    "write",
    "sync",
    "close",
    "rename",
    "syncDirectory",
  ];

  test.each(operations)("of a %s while writing stops the store, once", (which) => {
    const machine = written([5]);
    const store = machine.open();
    machine.fileSystem.fault = ({ operation }) =>
      operation === which ? new Error("EIO") : undefined;

    store.write(position(9), [stateAt(9)], told);
    machine.settle();

    machine.fileSystem.fault = undefined;
    machine.settle();
    expect(machine.failures.map(({ code }) => code)).toEqual(["SNAPSHOT_FAILED"]);
    expect(machine.failures[0]?.message).toContain("/group/snapshots");
    expect(store.isOpen()).toBe(false);
    expect(errorOf(() => store.remove(5, told)).code).toBe("SNAPSHOT_CLOSED");
    expect(read(store, 5)?.equals(stateAt(5))).toBe(true);
    machine.crash("power");
    const again = machine.open();
    for (const index of indexes(again))
      expect(read(again, index)?.equals(stateAt(index))).toBe(true);
    expect(indexes(again)).toContain(5);
  });

  test.each(operations)("of a %s while receiving stops the store, once", (which) => {
    const machine = new SnapshotMachine();
    const store = machine.open();
    const source = sourceOf(9);
    machine.fileSystem.fault = ({ operation }) =>
      operation === which ? new Error("EIO") : undefined;

    if (which === "create") expect(() => store.receive(source.offer)).toThrow(SnapshotError);
    else send(store.receive(source.offer), source, told);
    machine.settle();

    expect(machine.failures.map(({ code }) => code)).toEqual(["SNAPSHOT_FAILED"]);
    expect(indexes(store)).toEqual([]);
  });

  test.each<Operation>(["remove", "syncDirectory"])("of a %s while removing, too", (which) => {
    const machine = written([5]);
    const store = machine.open();
    machine.fileSystem.fault = ({ operation }) =>
      operation === which ? new Error("EIO") : undefined;

    store.remove(5, () => {
      throw new Error("it has failed");
    });
    machine.settle();

    expect(machine.failures.map(({ code }) => code)).toEqual(["SNAPSHOT_FAILED"]);
  });

  test("of the state to be read stops it as well", () => {
    const machine = new SnapshotMachine();
    const store = machine.open();

    store.write(position(9), broken(), () => {
      throw new Error("it has failed");
    });
    machine.settle();

    expect(machine.failures[0]?.cause).toEqual(new Error("the state is broken"));
  });
});

test("on a real disk: written, sent, received, read, removed", async () => {
  const directory = mkdtempSync(join(tmpdir(), "quorumlog-snapshots-"));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const open = (name: string): SnapshotStore =>
    SnapshotStore.open({
      fileSystem: nodeFileSystem,
      directory: join(directory, name),
      clusterId: "test",
      groupId: 0,
      onFailure: (error) => {
        throw error;
      },
    });
  const state = stateAt(9, 1_000_000);
  const sender = open("sender");
  const meta = await new Promise<SnapshotMeta>((resolve) => {
    sender.write(position(9), pieces(state, 300_000), resolve);
  });
  const bytes = Buffer.from(sender.readRaw(9, 0, meta.bytes));
  const offer = { index: 9, term: 1, bytes: meta.bytes };

  const first = open("receiver");
  const receipt = first.receive(offer);
  await new Promise((resolve) => {
    receipt.append(bytes.subarray(0, 600_000), resolve);
  });
  first.close();
  const receiver = open("receiver");
  const resumed = receiver.receive(offer);
  expect(resumed.offset).toBe(4_096 + 2 * (8 + 262_144));
  const error = await new Promise((resolve) => {
    send(resumed, { offer, bytes }, resolve, 200_000);
  });

  expect(error).toBeUndefined();
  expect(read(receiver, 9)?.equals(state)).toBe(true);
  receiver.close();
  const again = open("receiver");
  expect(again.list()).toEqual([meta]);
  await new Promise<void>((resolve) => {
    again.remove(9, resolve);
  });
  expect(again.list()).toEqual([]);
  again.close();
  sender.close();
});
