// Goal: majorities are counted right, in one configuration and in two at once.
// Method: a few values by hand, then properties against definitions that are too slow to use.
// Paper §5.2, §5.3, §6 (joint consensus).

import { describe, expect, test } from "vitest";
import {
  type Configuration,
  majorityIndex,
  majorityOf,
  majorityVote,
  quorumIndex,
  voteResult,
} from "../src/index.ts";
import { configurationOf, members } from "./kit/members.ts";
import { fc } from "./kit/properties.ts";

const NAMES = ["1", "2", "3", "4", "5", "6", "7", "8", "9"] as const;
const ids = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 7 });
const votes = fc.dictionary(fc.constantFrom(...NAMES), fc.boolean());
const indexes = fc.dictionary(fc.constantFrom(...NAMES), fc.integer({ min: 0, max: 8 }));

function sorted(list: readonly number[]): number[] {
  return [...list].sort((a, b) => a - b);
}

function joint(voters: readonly number[], votersOutgoing: readonly number[]): Configuration {
  return configurationOf({ voters: sorted(voters), votersOutgoing: sorted(votersOutgoing) });
}

const voteOf =
  (all: Readonly<Record<string, boolean>>) =>
  (id: number): boolean | undefined =>
    all[id];
const indexOf =
  (all: Readonly<Record<string, number>>) =>
  (id: number): number =>
    all[id] ?? 0;

test.each([
  [1, 1],
  [2, 2],
  [3, 2],
  [4, 3],
  [5, 3],
  [6, 4],
  [7, 4],
])("of %i members %i decide", (count, majority) => {
  expect(majorityOf(count)).toBe(majority);
});

describe("votes", () => {
  test.each([
    { of: [1, 2, 3], yes: [1, 2], no: [], result: "won" },
    { of: [1, 2, 3], yes: [1], no: [], result: "pending" },
    { of: [1, 2, 3], yes: [1], no: [2, 3], result: "lost" },
    { of: [1, 2], yes: [1], no: [], result: "pending" },
    { of: [1, 2], yes: [1], no: [2], result: "lost" },
    { of: [1, 2, 3, 4], yes: [1, 2], no: [3, 4], result: "lost" },
    { of: [1, 2, 3], yes: [7, 8, 9], no: [], result: "pending" },
    { of: [], yes: [], no: [], result: "won" },
  ])("of $of, yes $yes, no $no: $result", ({ of, yes, no, result }) => {
    const answers = new Map([
      ...yes.map((id) => [id, true] as const),
      ...no.map((id) => [id, false] as const),
    ]);
    expect(majorityVote(members(...of), (id) => answers.get(id))).toBe(result);
  });

  test("won means more than half said yes; lost means that can no longer be", () => {
    fc.assert(
      fc.property(ids, votes, (list, all) => {
        if (list.length === 0) return;
        const yes = list.filter((id) => all[id] === true).length;
        const no = list.filter((id) => all[id] === false).length;
        const result = majorityVote(members(...list), voteOf(all));
        expect(result === "won").toBe(2 * yes > list.length);
        expect(result === "lost").toBe(2 * (list.length - no) <= list.length);
      }),
    );
  });

  test("one more answer never changes a decided vote", () => {
    fc.assert(
      fc.property(ids, ids, votes, fc.integer({ min: 1, max: 9 }), (a, b, all, id) => {
        const before = voteResult(joint(a, b), voteOf(all));
        if (before === "pending" || all[id] !== undefined) return;
        for (const answer of [true, false])
          expect(voteResult(joint(a, b), voteOf({ ...all, [id]: answer }))).toBe(before);
      }),
    );
  });

  test("joint: both majorities, in either order; with itself or nobody, as if alone", () => {
    fc.assert(
      fc.property(ids, ids, votes, (a, b, all) => {
        const vote = voteOf(all);
        const parts = [majorityVote(members(...a), vote), majorityVote(members(...b), vote)];
        const both = voteResult(joint(a, b), vote);
        expect(both === "won").toBe(parts.every((part) => part === "won"));
        expect(both === "lost").toBe(parts.includes("lost"));
        expect(voteResult(joint(b, a), vote)).toBe(both);
        expect(voteResult(joint(a, a), vote)).toBe(parts[0]);
        expect(voteResult(joint(a, []), vote)).toBe(parts[0]);
      }),
    );
  });
});

describe("indexes", () => {
  test.each([
    { of: [1, 2, 3], at: [5, 9, 1], reached: 5 },
    { of: [1, 2, 3], at: [9, 9, 1], reached: 9 },
    { of: [1, 2, 3, 4], at: [4, 3, 2, 1], reached: 2 },
    { of: [1, 2], at: [8, 3], reached: 3 },
    { of: [1], at: [7], reached: 7 },
    { of: [1, 2, 3, 4, 5], at: [1, 5, 2, 4, 3], reached: 3 },
  ])("of $of at $at: $reached", ({ of, at, reached }) => {
    expect(majorityIndex(members(...of), (id) => at[id - 1] ?? 0)).toBe(reached);
  });

  test("the highest index that more than half have reached", () => {
    fc.assert(
      fc.property(ids, indexes, (list, all) => {
        const at = indexOf(all);
        const reached = majorityIndex(members(...list), at);
        if (list.length === 0) {
          expect(reached).toBe(Infinity);
          return;
        }
        const holders = (index: number): number => list.filter((id) => at(id) >= index).length;
        expect(2 * holders(reached)).toBeGreaterThan(list.length);
        expect(2 * holders(reached + 1)).toBeLessThanOrEqual(list.length);
      }),
    );
  });

  test("joint: the lower of the two, in either order; with itself or nobody, as if alone", () => {
    fc.assert(
      fc.property(ids, ids, indexes, (a, b, all) => {
        const at = indexOf(all);
        const alone = majorityIndex(members(...a), at);
        const other = majorityIndex(members(...b), at);
        expect(quorumIndex(joint(a, b), at)).toBe(Math.min(alone, other));
        expect(quorumIndex(joint(b, a), at)).toBe(Math.min(alone, other));
        expect(quorumIndex(joint(a, a), at)).toBe(alone);
        expect(quorumIndex(joint(a, []), at)).toBe(alone);
      }),
    );
  });

  test("who is behind what a majority reached may fall further: nothing changes", () => {
    fc.assert(
      fc.property(ids, ids, indexes, fc.integer({ min: 1, max: 9 }), (a, b, all, id) => {
        const at = indexOf(all);
        const reached = quorumIndex(joint(a, b), at);
        if (at(id) >= reached) return;
        expect(quorumIndex(joint(a, b), indexOf({ ...all, [id]: 0 }))).toBe(reached);
      }),
    );
  });

  test("progress of a member never lowers it", () => {
    fc.assert(
      fc.property(ids, ids, indexes, fc.integer({ min: 1, max: 9 }), (a, b, all, id) => {
        const before = quorumIndex(joint(a, b), indexOf(all));
        const further = { ...all, [id]: (all[id] ?? 0) + 1 };
        expect(quorumIndex(joint(a, b), indexOf(further))).toBeGreaterThanOrEqual(before);
      }),
    );
  });

  test("agrees with votes: reached means that a vote on having it is won", () => {
    fc.assert(
      fc.property(ids, ids, indexes, (a, b, all) => {
        const configuration = joint(a, b);
        const at = indexOf(all);
        const reached = quorumIndex(configuration, at);
        if (reached === Infinity) return;
        expect(voteResult(configuration, (id) => at(id) >= reached)).toBe("won");
        expect(voteResult(configuration, (id) => at(id) > reached)).not.toBe("won");
      }),
    );
  });
});
