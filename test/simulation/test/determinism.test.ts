// Goal: one seed decides everything, and nothing else decides anything.
// Method: run seeds twice, with and without the story being written, and compare fingerprints.
import { expect, test } from "vitest";
import { withoutRealWorld } from "../src/engine/global-guard.ts";
import { drawSwarm } from "../src/fault/swarm.ts";
import { runSeed } from "../src/run/seed-run.ts";

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

test("the same seed gives the same run, whether or not its story is written", () => {
  const lines: string[] = [];
  const hashes = new Set<string>();
  for (const seed of SEEDS) {
    const first = runSeed(seed);
    const second = runSeed(seed, { trace: (line) => lines.push(line) });

    expect(first.failure).toBeUndefined();
    expect(second).toEqual(first);
    hashes.add(first.hash);
  }
  expect(hashes.size).toBe(SEEDS.length);
  expect(lines.length).toBeGreaterThan(1_000);
}, 60_000);

test("a seed is at least a minute, 500 operations and 5 faults", () => {
  const { virtualSeconds, operations, faultCount } = runSeed(11);

  expect(virtualSeconds).toBeGreaterThanOrEqual(60);
  expect(operations.acknowledged).toBeGreaterThanOrEqual(500);
  expect(faultCount).toBeGreaterThanOrEqual(5);
}, 20_000);

test("seeds differ in what they are made of", () => {
  const swarms = SEEDS.map((seed) => drawSwarm(seed));

  expect(new Set(swarms.map(({ voterCount }) => voterCount)).size).toBeGreaterThan(1);
  expect(new Set(swarms.map(({ raft }) => JSON.stringify(raft))).size).toBe(SEEDS.length);
  expect(new Set(swarms.map(({ faults }) => [...faults.keys()].join())).size).toBe(SEEDS.length);
});

test("the real clock, timers and chance are out of reach during a run, and back after it", () => {
  const reaches = [
    () => Math.random(),
    () => Date.now(),
    () => performance.now(),
    () => setTimeout(() => {}, 0),
  ];

  withoutRealWorld(() => {
    for (const reach of reaches) expect(reach).toThrow(/out of bounds/);
  });
  expect(Date.now()).toBeGreaterThan(0);
  expect(Math.random()).toBeLessThan(1);
});
