// Goal: damage to what the log does not hold any more, as it was trimmed or replaced, is no reason
// not to lead, nor to wait. Method: a real log on a disk in memory, and a peer that never answers.

import { createLog, LogError, parseLogOptions, SegmentLogStore } from "@quorumlog/log";
import { MemoryFileSystem } from "@quorumlog/log/testing";
import type { Entry } from "@quorumlog/raft";
import { Prng, SlabPool } from "@quorumlog/std";
import { VirtualTime } from "@quorumlog/transport/testing";
import { expect, test } from "vitest";
import { SnapshotStore } from "../src/snapshot-store.ts";
import { LogCare } from "../src/log-care.ts";
import { voting } from "./kit/configurations.ts";

const INDEX = 3;

function entry(index: number, term: number): Entry {
  return { term, index, kind: "normal", data: new Uint8Array(1_000).fill(index) };
}

/** A log of several segments, with damage to an entry of the first one that was met by a read. */
function damaged({ recoverFromPeers }: { readonly recoverFromPeers: boolean }) {
  const time = new VirtualTime();
  const events: string[] = [];
  const prng = new Prng(1);
  const fileSystem = new MemoryFileSystem({ prng, schedule: (run) => time.after(0, run) });
  const place = {
    fileSystem,
    directory: "/log",
    identity: { clusterId: "test", groupId: 0, nodeId: 1, incarnation: 1 },
    options: parseLogOptions({ segmentBytes: 65_536, tailBytesMax: 0 }),
  };
  createLog(place, { base: { index: 0, term: 0, configuration: Uint8Array.of(1) }, salt: 1 });
  const log = SegmentLogStore.open({ ...place, onFailure: () => expect.unreachable() });
  const write = (low: number, high: number, term: number): void => {
    const entries = Array.from({ length: high - low }, (_, i) => entry(low + i, term));
    const hardState = { currentTerm: term, votedFor: undefined, commitIndex: 0 };
    log.append({ hardState, reset: undefined, entries }, () => undefined);
    time.pass(10);
  };
  const care = new LogCare({
    log,
    sealed: log.sealed,
    snapshots: SnapshotStore.open({
      fileSystem,
      directory: "/",
      clusterId: "test",
      groupId: 0,
      onFailure: () => expect.unreachable(),
    }),
    recoverFromPeers,
    scrub: { bytesPerSecond: 0, restMs: 1_000 },
    environment: {
      now: () => time.now(),
      wallTime: () => time.now(),
      after: (delayMs, run) => time.after(delayMs, run),
      soon: (run) => void time.after(0, run),
      bootId: () => undefined,
      random: () => prng.uint32(),
      memory: new SlabPool(),
    },
    status: () => ({ firstIndex: 1, commitIndex: 0, stableIndex: 0 }),
    nodeId: 1,
    configuration: () => voting(1, 2),
    send: () => false,
    guarded: (run) => {
      run();
    },
    onEvent: ({ type }) => events.push(type),
    onRepaired: () => undefined,
  });
  write(1, 200, 1);
  const [path] = (fileSystem.list("/log") ?? []).filter((name) => name.endsWith(".log"));
  const bytes = Buffer.from(fileSystem.bytesOf(`/log/${path}`));
  fileSystem.damage(`/log/${path}`, bytes.indexOf(entry(INDEX, 1).data), Uint8Array.of(0xff));
  const read = (): unknown => log.entries({ low: INDEX, high: INDEX + 1, bytesMax: 1 });
  expect(read).toThrow(LogError);
  try {
    read();
  } catch (error) {
    expect(care.onDamage(error)).toBe(recoverFromPeers);
  }
  time.pass(1_000);
  return { time, log, care, write, events };
}

test("a node is fit to lead again when what was damaged is trimmed", () => {
  const { time, log, care } = damaged({ recoverFromPeers: false });
  expect(care.isDamaged()).toBe(true);
  log.trim({ index: 150, term: 1, configuration: Uint8Array.of(1) }, () => undefined);
  time.pass(10);
  expect(care.isDamaged()).toBe(false);
});

test("an entry is read at once that takes the place of a damaged one", () => {
  const { log, care, write } = damaged({ recoverFromPeers: true });
  expect(care.isAwaited(INDEX)).toBe(true);
  write(INDEX - 1, 200, 2);
  expect(log.entries({ low: INDEX, high: INDEX + 1, bytesMax: 1 })).toMatchObject([{ term: 2 }]);
  expect(care.isAwaited(INDEX)).toBe(false);
});

test("nobody is asked any more for what was trimmed", () => {
  const { time, log, care, events } = damaged({ recoverFromPeers: true });
  expect(events).toContain("logRepairWaiting");
  log.trim({ index: 150, term: 1, configuration: Uint8Array.of(1) }, () => undefined);
  time.pass(1_000);
  expect(care.isRepairing).toBe(false);
  events.length = 0;
  time.pass(60_000);
  expect(events).toEqual([]);
});
