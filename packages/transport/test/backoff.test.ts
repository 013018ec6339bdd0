// Goal: peers are dialed again soon, then less often, and never all at once.

import { expect, test } from "vitest";
import { Backoff } from "../src/backoff.ts";

function delays(random: () => number, count: number): number[] {
  const backoff = new Backoff({ msMin: 20, msMax: 1_000, random });
  return Array.from({ length: count }, () => backoff.next());
}

test("the bound doubles up to the longest", () => {
  const almostOne = 1 - 2 ** -53;
  expect(delays(() => almostOne, 8).map(Math.round)).toEqual([
    40, 80, 160, 320, 640, 1_000, 1_000, 1_000,
  ]);
});

test("below the bound, any delay is as likely", () => {
  expect(delays(() => 0, 3)).toEqual([20, 20, 20]);
  expect(delays(() => 0.5, 3)).toEqual([30, 50, 90]);
});

test("after a reset it begins anew", () => {
  const backoff = new Backoff({ msMin: 20, msMax: 1_000, random: () => 0.5 });
  for (let i = 0; i < 2_000; i++) backoff.next();
  expect(backoff.next()).toBe(510);
  backoff.reset();
  expect(backoff.next()).toBe(30);
});
