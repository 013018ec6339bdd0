// Goal: the bare program has the load that systems have, in the containers that are best for it.
// Method: its loads and the choice among outcomes as values; what it takes of all workloads.

import { expect, test } from "vitest";
import { BARE, bareLoadsOf, bestOf } from "../src/peers/bare-contender.ts";
import { WORKLOADS } from "../src/peers/peer-workloads.ts";
import type { Outcome } from "../src/peers/workload.ts";

const KB = 1_024;

function outcomeOf(perSecond: number): Outcome {
  return { values: [perSecond], beside: {}, faults: [] };
}

test.each([
  { bodyBytes: KB, inFlight: 1, containersKb: [1] },
  { bodyBytes: KB, inFlight: 100, containersKb: [64, 100] },
  { bodyBytes: KB, inFlight: 1_000, containersKb: [64, 256, 1_000] },
  { bodyBytes: 10 * KB, inFlight: 10_000, containersKb: [64, 256, 1_024] },
])("$inFlight of $bodyBytes B are in no larger containers", ({ containersKb, ...loop }) => {
  const loads = bareLoadsOf(loop);

  expect(loads.map(({ containerBytes }) => containerBytes / KB)).toEqual(containersKb);
  for (const load of loads)
    expect(load).toMatchObject({ messageBytes: loop.bodyBytes, inFlight: loop.inFlight });
});

test("the best container size counts, wherever it is", () => {
  const [low, high, middle] = [outcomeOf(1), outcomeOf(3), outcomeOf(2)];

  expect(bestOf([low, high, middle])).toBe(high);
  expect(bestOf([high, low])).toBe(high);
});

test("it takes what is published with so many under way, and nothing else", () => {
  const taken = WORKLOADS.filter(BARE.takes).map(({ name }) => name);

  expect(taken).toEqual(
    WORKLOADS.map(({ name }) => name).filter((name) => name.startsWith("publish ")),
  );
});
