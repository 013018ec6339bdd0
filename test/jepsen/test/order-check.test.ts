// Goal: messages of a group that change places are found, and a second delivery is none of them.
// Method: histories by hand, one for each.

import { describe, expect, test } from "vitest";
import { checkOrder } from "../src/check/order-check.ts";
import { operationsOf } from "../src/history/operations.ts";
import { eventsOf, type Line } from "./kit/lines.ts";

type Place = readonly [group: string, id: number, queue: number, offset: number];

const publish = (process: number, place: Place): Line[] => [
  [process, "invoke", "publish", place.slice(0, 2)],
  [process, "ok", "publish", place],
];
const consume = (process: number, ...places: Place[]): Line[] => [
  [process, "invoke", "consume", null],
  [process, "ok", "consume", places],
];
const kindsOf = (lines: readonly Line[]): string[] =>
  checkOrder(operationsOf(eventsOf(lines))).anomalies.map(({ kind }) => kind);

const A: Place = ["a", 1, 0, 0];
const B: Place = ["a", 2, 0, 1];
const C: Place = ["a", 3, 0, 2];

describe("nothing is wrong", () => {
  test.each<[string, Line[]]>([
    ["in order", [...publish(1, A), ...publish(1, B), ...consume(2, A, B)]],
    [
      "with two who publish at the same time",
      [[3, "invoke", "publish", ["a", 1]], ...publish(1, B), [3, "ok", "publish", A]],
    ],
    ["with a second delivery by somebody else", [...consume(2, A, B), ...consume(3, A, B, C)]],
    [
      "with one that goes on behind what was delivered again",
      [...consume(2, A, B), ...consume(3, A), ...consume(2, C), ...consume(3, B, C)],
    ],
    [
      "with another group between",
      [...consume(2, B), ...consume(3, ["b", 9, 0, 0]), ...consume(2, C)],
    ],
  ])("%s", (_, lines) => {
    expect(kindsOf(lines)).toEqual([]);
  });
});

test.each<[string, Line[]]>([
  ["out-of-order", consume(2, B, A)],
  ["out-of-order", [...consume(2, A, C), ...consume(3, B)]],
  [
    "out-of-order",
    [...publish(1, A), ...publish(1, B), ...consume(2, A), ...publish(1, C), ...consume(3, C, B)],
  ],
  ["wrong-group", [...publish(1, A), ...consume(2, ["b", 1, 0, 0])]],
  ["group-spread", [...publish(1, A), ...publish(1, ["a", 2, 1, 0])]],
  ["group-spread", consume(2, A, ["a", 2, 1, 5])],
  ["nonmonotonic-publish", [...publish(1, B), ...publish(1, A)]],
  ["nonmonotonic-publish", [...publish(1, B), ...publish(2, A)]],
])("%s", (kind, lines) => {
  expect(kindsOf(lines)).toEqual([kind]);
});
