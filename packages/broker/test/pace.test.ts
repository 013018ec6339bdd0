// Goal: fetches that are woken get their share of the time, and a busy time slows nobody down that
// comes after it.
// Method: times by hand.

import { expect, test } from "vitest";
import { Pace } from "../src/rpc/pace.ts";

test("what was spent is waited for four times", () => {
  const pace = new Pace(5);
  expect(pace.waitMs(1_000)).toBe(0);
  pace.onSpent(1_000, 1_002);
  pace.onSpent(1_002, 1_003);
  expect(pace.waitMs(1_003)).toBe(11);
  expect(pace.waitMs(1_010)).toBe(4);
  expect(pace.waitMs(1_020)).toBe(0);
});

test("after minutes with too much to do nobody waits for longer than after a moment of it", () => {
  const pace = new Pace(5);
  let now = 1_000;
  for (let round = 0; round < 1_000; round++) {
    pace.onSpent(now, now + 40);
    now += 40 + pace.waitMs(now + 40);
    expect(pace.waitMs(now)).toBe(0);
  }
});
