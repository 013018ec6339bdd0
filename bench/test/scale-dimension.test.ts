// Goal: a run has the steps that were asked for, each is a cluster that brokers take, and nothing
// is begun that the disk has no room for.
// Method: the tables of dimensions and steps, beside the limits of the broker's README.

import { FlagError } from "@quorumlog/std";
import { expect, test } from "vitest";
import { chosenDimensions, chosenSteps, DIMENSIONS } from "../src/scale/dimension.ts";
import { bytesOf, lackOfRoom } from "../src/scale/disk-room.ts";

const IN_FLIGHT = 10_000;
const ALL = { most: 1_000_000_000, steps: 99 };
const GB = 1_000_000_000;

function lastOf(name: string): number | undefined {
  return chosenDimensions(name)[0]?.steps.at(-1);
}

test("all dimensions are measured if none is named, else those, in their own order", () => {
  expect(chosenDimensions(undefined)).toEqual(DIMENSIONS);
  expect(chosenDimensions("sizes, messages").map(({ name }) => name)).toEqual([
    "messages",
    "sizes",
  ]);
  expect(() => chosenDimensions("sizes,weights")).toThrow(FlagError);
  expect(() => chosenDimensions("sizes,weights")).toThrow('"weights"');
});

test("steps end at the highest that is wanted, or after so many", () => {
  const dimension = { steps: [1, 10, 50, 200] };

  expect(chosenSteps(dimension, ALL)).toEqual([1, 10, 50, 200]);
  expect(chosenSteps(dimension, { ...ALL, most: 50 })).toEqual([1, 10, 50]);
  expect(chosenSteps(dimension, { ...ALL, steps: 2 })).toEqual([1, 10]);
  expect(chosenSteps(dimension, { ...ALL, most: 0 })).toEqual([]);
});

test.each(DIMENSIONS)(
  "$name goes up from its small case, within what brokers take",
  (dimension) => {
    const { small, steps, setupAt } = dimension;

    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
    expect(steps[0]).toBeGreaterThan(small);
    for (const step of [small, ...steps]) {
      const { topicCount, queueCount, messageBytes, inFlight } = setupAt(step, IN_FLIGHT);
      expect(topicCount).toBeLessThanOrEqual(10_000);
      expect(queueCount).toBeLessThanOrEqual(1_024);
      expect(Number.isInteger(queueCount)).toBe(true);
      // What waits of all streams; beyond it publishes are refused.
      expect(inFlight * messageBytes).toBeLessThanOrEqual(64 * 1024 * 1024);
      expect(inFlight).toBeGreaterThan(0);
    }
  },
);

test("the last steps are those that the goals are about", () => {
  expect(lastOf("messages")).toBe(50_000_000);
  expect(lastOf("groups")).toBe(200);
  for (const name of ["queues", "spread", "topics"]) {
    const setup = chosenDimensions(name)[0]?.setupAt(lastOf(name) ?? 0, IN_FLIGHT);
    expect((setup?.topicCount ?? 0) * (setup?.queueCount ?? 0)).toBe(10_000);
  }
});

test("fifty millions on three nodes need twenty GB, and are left out where those are not", () => {
  const [messages] = chosenDimensions("messages");
  const needed = bytesOf(messages?.setupAt(50_000_000, IN_FLIGHT) as never, 0);

  expect(needed).toBeCloseTo(19.5 * GB, -9);
  expect(lackOfRoom(needed, { free: 60 * GB, total: 1_000 * GB })).toBeUndefined();
  expect(lackOfRoom(needed, { free: 30 * GB, total: 1_000 * GB })).toContain("19.5 GB");
  // Of a small disk a tenth stays free, and no more.
  expect(lackOfRoom(needed, { free: 25 * GB, total: 40 * GB })).toBeUndefined();
});
