// Goal: many requests that come in one turn of the event loop do not keep it for as long as all of
// them take: a leader would miss its heartbeats.
// Method: times by hand, in real turns.

import { setImmediate as endOfTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { TurnLimit } from "../src/rpc/turn-limit.ts";

test("work has so much of a turn, and the same of the next", async () => {
  const limit = new TurnLimit(5);
  limit.onSpent(3);
  expect(limit.isOpen).toBe(true);
  limit.onSpent(3);
  expect(limit.isOpen).toBe(false);

  await endOfTurn();

  expect(limit.isOpen).toBe(true);
  limit.onSpent(5);
  expect(limit.isOpen).toBe(false);
});
