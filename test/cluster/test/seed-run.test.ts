// Goal: the real replica keeps its promises, whatever happens to processes, disks and network.
// Method: seeds of the simulator; and the same seed twice, which must be the same run.
import { expect, test } from "vitest";
import { runSeed } from "../src/index.ts";

const SEEDS = Array.from({ length: 16 }, (_, i) => 1_001 + i);

test.each(SEEDS)("seed %i holds", { timeout: 60_000 }, (seed) => {
  const { failure, acknowledged } = runSeed(seed);

  expect(failure).toBeUndefined();
  expect(acknowledged).toBeGreaterThan(0);
});

test("a seed decides everything", { timeout: 60_000 }, () => {
  const first = runSeed(7);
  const second = runSeed(7, () => undefined);

  expect(second).toEqual(first);
});
