// Goal: a disk knows whether its log may lack what was acknowledged: a life in flush mode `async`
// has not ended, and the machine was booted since; or it cannot be known.

import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import { type Flush, parseFlush } from "../src/flush-mode.ts";
import {
  FlushNote,
  type FlushNoteInit,
  type FlushNotePlace,
  noteSyncFailed,
} from "../src/flush-note.ts";

const DIRECTORY = "/group-0";

class Machine {
  readonly fileSystem = new MemoryFileSystem({ prng: new Prng(1) });

  constructor() {
    this.fileSystem.makeDirectory(DIRECTORY);
  }

  begin(init: Partial<FlushNoteInit> = {}): FlushNote {
    const { fileSystem } = this;
    const common = { fileSystem, directory: DIRECTORY, isAsync: true, acceptLoss: false };
    const note = new FlushNote({ ...common, bootId: "first", ...init });
    // Whatever is noted is there after a loss of power.
    fileSystem.crash("power");
    return note;
  }

  get place(): FlushNotePlace {
    return { fileSystem: this.fileSystem, directory: DIRECTORY };
  }

  /** The disk fails whenever it is to do that. */
  failAt(failing: string | undefined): void {
    this.fileSystem.fault = ({ operation }) =>
      operation === failing ? new Error("EIO") : undefined;
  }

  get names(): string[] {
    return this.fileSystem.list(DIRECTORY) ?? [];
  }
}

const SUSPECT = { count: 1, isSuspect: true };

describe("a life in flush mode async", () => {
  test("that ends without a close, on a machine that stays up, has lost nothing", () => {
    const machine = new Machine();
    machine.begin();
    expect(machine.begin().loss).toBeUndefined();
  });

  test("may have lost something if the machine was booted since", () => {
    const machine = new Machine();
    machine.begin();
    expect(machine.begin({ bootId: "second" }).loss).toEqual(SUSPECT);
    // Not once more in the same boot, nor forgotten.
    expect(machine.begin({ bootId: "second" }).loss).toEqual(SUSPECT);
    expect(machine.begin({ bootId: "third" }).loss).toEqual({ count: 2, isSuspect: true });
  });

  test("may have lost something wherever a boot cannot be told from another", () => {
    const machine = new Machine();
    machine.begin({ bootId: undefined });
    expect(machine.begin({ bootId: undefined }).loss).toEqual(SUSPECT);
    expect(machine.begin({ bootId: "known" }).loss).toEqual({ count: 2, isSuspect: true });
  });

  test("that was closed has lost nothing", () => {
    const machine = new Machine();
    machine.begin().onClosed();
    expect(machine.begin({ bootId: "second" }).loss).toBeUndefined();
  });

  test("whose sync has failed may have lost something, booted or not", () => {
    const machine = new Machine();
    machine.begin();
    noteSyncFailed(machine.place);
    expect(machine.begin().loss).toEqual(SUSPECT);
  });

  test.each(["sync", "syncDirectory", "create", "rename"])(
    "may have lost something, though the disk that failed fails to %s the note, too",
    (operation) => {
      const machine = new Machine();
      machine.begin();
      machine.failAt(operation);
      noteSyncFailed(machine.place);
      machine.failAt(undefined);
      expect(machine.begin().loss).toEqual(SUSPECT);
    },
  );

  test("has lost nothing if what was being synced is on the disk after all", () => {
    const machine = new Machine();
    const note = machine.begin();
    noteSyncFailed(machine.place);
    note.onSyncKept();
    expect(machine.begin().loss).toBeUndefined();
    expect(machine.begin({ bootId: "second" }).loss).toEqual(SUSPECT);
  });

  test("may have lost something by a failed sync, and by a boot behind it, once", () => {
    const machine = new Machine();
    machine.begin();
    noteSyncFailed(machine.place);
    noteSyncFailed(machine.place);
    machine.fileSystem.crash("power");
    expect(machine.begin({ bootId: "second" }).loss).toEqual(SUSPECT);
  });

  test("that has caught up is not suspect any more, and counts its loss for ever", () => {
    const machine = new Machine();
    machine.begin();
    machine.begin({ bootId: "second" }).onCleared({ count: 1, isSuspect: false });
    expect(machine.begin({ bootId: "second" }).loss).toEqual({ count: 1, isSuspect: false });
    expect(machine.begin({ bootId: "third" }).loss).toEqual({ count: 2, isSuspect: true });
  });

  test("is not suspect if its owner accepts the loss, which is noted", () => {
    const machine = new Machine();
    machine.begin();
    const note = machine.begin({ bootId: "second", acceptLoss: true });
    expect([note.loss, note.isLossAccepted]).toEqual([{ count: 1, isSuspect: false }, true]);
    const next = machine.begin({ bootId: "second", acceptLoss: true });
    expect([next.loss, next.isLossAccepted]).toEqual([{ count: 1, isSuspect: false }, false]);
  });
});

describe("a life that syncs first", () => {
  test("leaves no file where there was none", () => {
    const machine = new Machine();
    const note = machine.begin({ isAsync: false });
    note.onClosed();
    noteSyncFailed(machine.place);
    expect(machine.names).toEqual([]);
  });

  test("is as suspect as the life before it has left the disk, and adds nothing", () => {
    const machine = new Machine();
    machine.begin();
    expect(machine.begin({ isAsync: false, bootId: "second" }).loss).toEqual(SUSPECT);
    expect(machine.begin({ isAsync: false, bootId: "third" }).loss).toEqual(SUSPECT);
  });
});

test("a note that cannot be read is no reason to guess", () => {
  const machine = new Machine();
  machine.begin();
  machine.fileSystem.damage(`${DIRECTORY}/flush.json`, 2, Uint8Array.of(0));
  expect(() => machine.begin()).toThrow("flush.json does not say");
});

describe("the option", () => {
  test.each<[Flush | undefined, unknown]>([
    [undefined, { mode: "sync" }],
    ["sync", { mode: "sync" }],
    ["async", { mode: "async", intervalMs: 500, bytes: 8_388_608 }],
    [
      { mode: "async", intervalMs: 20 },
      { mode: "async", intervalMs: 20, bytes: 8_388_608 },
    ],
  ])("%j is %j", (input, parsed) => {
    expect(parseFlush(input)).toEqual(parsed);
  });

  test("names everything that does not fit", () => {
    const input = { mode: "later", intervalMs: 0, bytes: 1, often: true } as unknown as Flush;
    expect(() => parseFlush(input)).toThrow(/often.*sync.*intervalMs.*bytes/su);
  });
});
