// Goal: a fault comes at the operation that was asked for, and nowhere else.

import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { expect, test } from "vitest";
import { formatDiskFault, parseDiskFault } from "../src/disk-fault.ts";
import { FaultyFileSystem } from "../src/faulty-file-system.ts";

function diskWith(fault: string): { disk: FaultyFileSystem; kills: string[] } {
  const kills: string[] = [];
  const inner = new MemoryFileSystem({ prng: new Prng(1) });
  inner.makeDirectory("/d");
  const disk = new FaultyFileSystem(inner, () => {
    kills.push(`${inner.list("/d")?.join()}`);
  });
  disk.arm(parseDiskFault(fault));
  return { disk, kills };
}

test("the n-th write fails, and is not done", async () => {
  const { disk } = diskWith("error-write:2");
  const file = disk.create("/d/a");
  file.writeNow(Buffer.from("a"), 0);

  const error = await new Promise<Error | undefined>((resolve) => {
    file.write([Buffer.from("b")], 1, resolve);
  });
  file.writeNow(Buffer.from("c"), 1);

  expect(error).toMatchObject({ code: "EIO" });
  expect(file.size()).toBe(2);
  expect(disk.counts()).toMatchObject({ create: 1, write: 3, sync: 0 });
});

test("a kill comes before the operation, or right after it", () => {
  const before = diskWith("kill-before-create:1");
  before.disk.create("/d/a");
  const after = diskWith("kill-after-create:1");
  after.disk.create("/d/a");

  expect([before.kills, after.kills]).toEqual([[""], ["a"]]);
});

test("a fault reads as it is written", () => {
  for (const text of ["error-sync:1", "kill-after-syncDirectory:12"])
    expect(formatDiskFault(parseDiskFault(text))).toBe(text);
  for (const text of ["", "error-sync", "error-open:1", "error-sync:0", "kill-sync:1"])
    expect(() => parseDiskFault(text)).toThrow(RangeError);
});
