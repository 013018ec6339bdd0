// Goal: a machine that stalls or is slow for a while does not move the median of the ratios; rounds
// end in time, and are never fewer than five.
// Method: sides that give rates by hand, round by round.

import { expect, test } from "vitest";
import { alternate, ROUNDS_MIN } from "../src/guard/alternation.ts";
import type { GuardPair } from "../src/guard/guard-part.ts";
import { spreadOf } from "../src/spread.ts";

const OPTIONS = { roundMs: 1, rounds: 7, isTimeOver: () => false };

/** @param rates - Of both, round by round; the last one stays. */
function pairOf(
  rates: readonly (readonly [bare: number, ours: number])[],
): GuardPair & { readonly calls: string[] } {
  const calls: string[] = [];
  const rate = (side: "bare" | "ours"): Promise<number> => {
    const round = calls.filter((call) => call === side).length;
    calls.push(side);
    const [bare, ours] = rates[round] ?? rates.at(-1) ?? [0, 0];
    return Promise.resolve(side === "bare" ? bare : ours);
  };
  return { name: "log", calls, bare: () => rate("bare"), ours: () => rate("ours") };
}

test("both sides run turn about, and begin turn about", async () => {
  const pair = pairOf([[100, 50]]);

  const ratios = await alternate([pair], { ...OPTIONS, rounds: 5 });

  expect(ratios).toEqual(new Map([["log", [0.5, 0.5, 0.5, 0.5, 0.5]]]));
  expect(pair.calls.slice(0, 6).join(" ")).toBe("bare ours ours bare bare ours");
});

test("a slow minute of both, and two stalls of one, leave the median where it was", async () => {
  const pair = pairOf([
    [100, 50],
    [10, 5],
    [10, 5],
    [100, 1],
    [100, 0],
    [100, 50],
  ]);

  const ratios = await alternate([pair], OPTIONS);

  expect(ratios.get("log")).toHaveLength(7);
  expect(spreadOf(ratios.get("log") ?? [])?.median).toBe(0.5);
});

test("without time there are five rounds", async () => {
  const ratios = await alternate([pairOf([[2, 1]])], { ...OPTIONS, isTimeOver: () => true });

  expect(ratios.get("log")).toHaveLength(ROUNDS_MIN);
  expect(ROUNDS_MIN).toBeGreaterThanOrEqual(5);
});

test("a round in which the bare side did nothing says nothing", async () => {
  const pair = pairOf([
    [0, 50],
    [0, 0],
    [100, 50],
  ]);

  expect((await alternate([pair], OPTIONS)).get("log")).toEqual(
    Array.from({ length: 7 }, () => 0.5),
  );
});

test("a bare side that never does anything is an error, and no loop", async () => {
  await expect(alternate([pairOf([[0, 50]])], OPTIONS)).rejects.toThrow(
    "the bare program of log did nothing",
  );
});
