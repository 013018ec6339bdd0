// Goal: the fake world keeps its own promises, so that a violation is the core's fault.
import { Prng } from "@quorumlog/std";
import { expect, test } from "vitest";
import { Disk } from "../src/engine/disk.ts";
import { EventQueue, SECOND } from "../src/engine/event-queue.ts";
import { HostClock } from "../src/engine/host-clock.ts";
import { Network } from "../src/engine/network.ts";

function entry(
  index: number,
  term: number,
): {
  kind: "entry";
  entry: { index: number; term: number; kind: "normal"; data: Uint8Array };
} {
  return { kind: "entry", entry: { index, term, kind: "normal", data: new Uint8Array(0) } };
}

test("events run in the order of time, then of being scheduled", () => {
  const queue = new EventQueue();
  const seen: string[] = [];
  for (const [delay, name] of [
    [5, "b"],
    [1, "a"],
    [5, "c"],
    [9, "d"],
  ] as const)
    queue.schedule(delay, () => seen.push(name));
  queue.runUntil(8);

  expect(seen.join("")).toBe("abc");
  expect(queue.now).toBe(8);
});

test("power loss keeps a prefix of what was not synced, a killed process all of it", () => {
  for (let seed = 0; seed < 50; seed++) {
    const disk = new Disk();
    disk.syncTo(disk.write([entry(1, 1), entry(2, 1)]));
    disk.write([entry(3, 1), entry(4, 1)]);
    disk.crash("process", new Prng(seed));
    expect(disk.read().log.lastIndex).toBe(4);

    disk.crash("power", new Prng(seed));
    expect(disk.durable.log.lastIndex).toBeGreaterThanOrEqual(2);
    expect(disk.read().log.lastIndex).toBe(disk.durable.log.lastIndex);
  }
});

test("a record that replaces entries does so on disk, too", () => {
  const disk = new Disk();
  disk.write([entry(1, 1), entry(2, 1), entry(3, 1), entry(2, 2)]);
  disk.syncTo(disk.written);

  expect(disk.durable.log.lastIndex).toBe(2);
  expect(disk.durable.log.term(2)).toBe(2);
});

test("damage that compaction drops is damage no more", () => {
  const disk = new Disk();
  disk.syncTo(disk.write([entry(1, 1), entry(2, 1), entry(3, 1)]));
  disk.rot(2);
  expect(disk.isDamaged()).toBe(true);

  disk.syncTo(disk.write([{ kind: "compact", index: 2 }]));
  expect(disk.isDamaged()).toBe(false);
});

test("blocks of a link are counted", () => {
  const queue = new EventQueue();
  const network = new Network(queue, new Prng(1), {
    delayMin: 10,
    delayMean: 0,
    loss: 0,
    duplication: 0,
    isOrdered: false,
    capacity: 10,
    blocksInFlight: true,
  });
  const send = (): string => network.send({ from: 1, to: 2, extraDelay: 0 }, () => {});
  const first = network.block(1, 2);
  const second = network.block(1, 2);
  first();
  first();
  expect(send()).toBe("blocked");

  second();
  expect(send()).toBe("sent");
  expect(network.send({ from: 2, to: 1, extraDelay: 0 }, () => {})).toBe("sent");
});

test("a clock drifts, jumps and stands still, and never goes back", () => {
  const queue = new EventQueue();
  const clock = new HostClock(queue, 7);
  clock.setRate(2);
  queue.runUntil(SECOND);
  expect(clock.read()).toBe(7 + 2 * SECOND);

  clock.setRate(0);
  queue.runUntil(2 * SECOND);
  clock.jump(5);
  expect(clock.read()).toBe(12 + 2 * SECOND);
  expect(clock.delayUntil(clock.read() + 1)).toBe(Number.POSITIVE_INFINITY);
});
