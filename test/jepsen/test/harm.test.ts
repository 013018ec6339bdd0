// Goal: no more than a minority is harmed at a time, whatever is under way.

import { expect, test } from "vitest";
import { Harm } from "../src/nemesis/harm.ts";

const allServe = (): boolean => true;

test("a minority can be taken, by one fault or several, and no node twice", () => {
  const harm = new Harm(() => [1, 2, 3, 4, 5], allServe);

  const first = harm.claim([2]);
  expect([harm.room, harm.unharmed]).toEqual([1, [1, 3, 4, 5]]);
  expect([harm.claim([2]), harm.claim([1, 3]), harm.claimAll()]).toEqual(Array(3).fill(undefined));
  const second = harm.claim([4]);
  expect([harm.room, harm.isHarmed(4), harm.claim([1])]).toEqual([0, true, undefined]);

  first?.release();
  first?.release();
  second?.release();
  expect(harm.room).toBe(2);
});

test("who takes all is alone with it", () => {
  const harm = new Harm(() => [1, 2, 3], allServe);

  const all = harm.claimAll();
  expect([all?.nodes, harm.claimAll(), harm.claim([1])]).toEqual([[1, 2, 3], undefined, undefined]);

  all?.release();
  expect(harm.claim([1])?.nodes).toEqual([1]);
});

test("a minority is one of those that belong to the group now", () => {
  let members = [1, 2, 3];
  const harm = new Harm(() => members, allServe);

  members = [1, 3];
  expect([harm.room, harm.claim([1])]).toEqual([0, undefined]);
  members = [1, 3, 4];
  expect(harm.claim([4])?.nodes).toEqual([4]);
});

test("who has ended by itself counts, and is told of", () => {
  let ended = 2;
  const harm = new Harm(
    () => [1, 2, 3],
    (nodeId) => nodeId !== ended,
  );

  expect([harm.room, harm.ended, harm.unharmed]).toEqual([0, [2], [1, 3]]);
  expect([harm.claim([1]), harm.claimAll()]).toEqual([undefined, undefined]);
  ended = 0;
  expect([harm.room, harm.ended]).toEqual([1, []]);
});
