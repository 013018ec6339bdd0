// Goal: what is measured for a short time is warm nevertheless, and warming has an end.
// Method: the loads of it as values.

import { expect, test } from "vitest";
import { ownWarmUpMs, warmUpsOf } from "../src/peers/warm-up.ts";

test("a load runs for half of its time before, and for half a second at least", () => {
  expect([50, 999, 1_000, 4_000].map(ownWarmUpMs)).toEqual([500, 500, 500, 2_000]);
});

test("messages one at a time come last, and no load is without an end", () => {
  const loads = warmUpsOf(300);

  expect(loads.map(({ inFlight }) => inFlight)).toEqual([1_000, 1]);
  for (const { ms, messagesMax } of loads) {
    expect(ms).toBeLessThanOrEqual(8_000);
    expect(messagesMax).toBeLessThanOrEqual(100_000);
  }
});
