// Goal: a log that has become idle is marked once, and a disk that takes long is noticed.
import type { LogStore } from "@quorumlog/log";
import { createLog, parseLogOptions, SegmentLogStore } from "@quorumlog/log";
import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { expect, test } from "vitest";
import { DiskWatch } from "../src/disk-watch.ts";

class Disk {
  now = 0;
  readonly pending: (() => void)[] = [];
  readonly writes: string[] = [];
  readonly log: LogStore;
  readonly watch: DiskWatch;

  constructor() {
    const fileSystem = new MemoryFileSystem({
      prng: new Prng(1),
      schedule: (run) => this.pending.push(run),
      fault: ({ operation }) => {
        this.writes.push(operation);
        return undefined;
      },
    });
    const place = {
      fileSystem,
      directory: "/log",
      identity: { clusterId: "c", groupId: 0, nodeId: 1, incarnation: 1 },
      options: parseLogOptions({ segmentBytes: 65_536 }),
    };
    createLog(place, {
      base: { term: 0, index: 0, configuration: new Uint8Array(0) },
      salt: 1,
    });
    this.log = SegmentLogStore.open({ ...place, onFailure: () => undefined });
    this.settle();
    this.watch = new DiskWatch(this.log, () => this.now);
  }

  settle(): void {
    for (let run = this.pending.shift(); run !== undefined; run = this.pending.shift()) run();
  }

  append(): void {
    this.watch.onAppend();
    const entry = { term: 1, index: 1, kind: "normal" as const, data: Buffer.of(1) };
    const hardState = { currentTerm: 1, votedFor: 1, commitIndex: 0 };
    this.log.append({ hardState, reset: undefined, entries: [entry] }, () => {
      this.watch.onDurable();
    });
  }
}

test("an idle log is marked, once", () => {
  const disk = new Disk();
  disk.append();
  disk.settle();
  disk.writes.length = 0;

  disk.now = 99;
  disk.watch.tick();
  disk.settle();
  const early = disk.writes.length;
  disk.now = 100;
  for (let i = 0; i < 3; i++) {
    disk.watch.tick();
    disk.settle();
  }

  expect(early).toBe(0);
  expect(disk.writes).toEqual(["write", "sync"]);
});

test("the lag is that of the oldest write, and over with it", () => {
  const disk = new Disk();
  disk.append();
  disk.now = 700;
  const during = disk.watch.lagMs();

  disk.settle();

  expect([during, disk.watch.lagMs()]).toEqual([700, 0]);
});
