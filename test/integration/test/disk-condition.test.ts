// Goal: a disk is as troubled as it was said to be, and no more.

import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { expect, test } from "vitest";
import { NO_TROUBLE } from "../src/disk-condition.ts";
import { FaultyFileSystem } from "../src/faulty-file-system.ts";

function openDisk(): FaultyFileSystem {
  const inner = new MemoryFileSystem({ prng: new Prng(1) });
  inner.makeDirectory("/d");
  return new FaultyFileSystem(inner, () => undefined);
}

function settled(run: (done: (error: Error | undefined) => void) => void): Promise<unknown> {
  return new Promise(run);
}

test("a full disk takes what there is room for already, and nothing else", async () => {
  const disk = openDisk();
  const file = disk.create("/d/a");
  file.writeNow(Buffer.from("room"), 0);
  disk.condition = { ...NO_TROUBLE, full: "told" };

  const fits = await settled((done) => {
    file.write([Buffer.from("ro"), Buffer.from("om")], 0, done);
  });
  const grows = await settled((done) => {
    file.write([Buffer.from("ro"), Buffer.from("om")], 1, done);
  });

  expect(fits).toBeUndefined();
  expect(grows).toMatchObject({ code: "ENOSPC" });
  expect(() => disk.create("/d/b")).toThrow("ENOSPC");
  expect([disk.freeBytes("/d"), disk.troubles().refusedForSpace]).toEqual([0, 2]);
  disk.condition = { ...NO_TROUBLE, full: "untold" };
  expect(disk.freeBytes("/d")).toBeGreaterThan(0);
  expect(() => disk.create("/d/b")).toThrow("ENOSPC");
  disk.condition = NO_TROUBLE;
  file.writeNow(Buffer.from("more"), 4);
  expect(file.size()).toBe(8);
});

test("syncs fail, or take their time, until they do not", async () => {
  const disk = openDisk();
  const file = disk.create("/d/a");
  disk.condition = { ...NO_TROUBLE, failsSyncs: true };
  const failed = await settled((done) => {
    file.sync(done);
  });
  expect(() => {
    file.syncNow();
  }).toThrow("EIO");
  expect([failed, disk.troubles().failedSyncs]).toMatchObject([{ code: "EIO" }, 2]);

  disk.condition = { ...NO_TROUBLE, syncDelayMs: 30 };
  const beganMs = performance.now();
  const delayed = await settled((done) => {
    file.sync(done);
  });
  expect(delayed).toBeUndefined();
  expect(performance.now() - beganMs).toBeGreaterThan(25);
  expect(disk.troubles().delayedSyncs).toBe(1);
});
