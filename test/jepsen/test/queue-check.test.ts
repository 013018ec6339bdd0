// Goal: losses, inventions and second copies are found; a second delivery is counted, and no more.
// Method: histories by hand, one for each.

import { expect, test } from "vitest";
import { checkQueue } from "../src/check/queue-check.ts";
import { operationsOf } from "../src/history/operations.ts";
import { eventsOf, type Line } from "./kit/lines.ts";

const publish = (process: number, id: number, offset: number): Line[] => [
  [process, "invoke", "publish", id],
  [process, "ok", "publish", [id, 0, offset]],
];
const consume = (process: number, ...messages: (readonly [number, number])[]): Line[] => [
  [process, "invoke", "consume", null],
  [process, "ok", "consume", messages.map(([id, offset]) => [id, 0, offset])],
];
const ended = (type: "fail" | "info", id: number): Line[] => [
  [9, "invoke", "publish", id],
  [9, type, "publish", id],
];

const kindsOf = (lines: readonly Line[]): string[] =>
  checkQueue(operationsOf(eventsOf(lines))).anomalies.map(({ kind }) => kind);

test("what was published is consumed, and some of it twice", () => {
  const lines = [
    ...publish(1, 10, 0),
    ...publish(1, 20, 1),
    ...consume(2, [10, 0]),
    ...consume(3, [10, 0], [20, 1]),
    ...ended("info", 30),
    ...consume(3, [30, 2]),
  ];
  expect(checkQueue(operationsOf(eventsOf(lines)))).toEqual({
    anomalies: [],
    acknowledged: 2,
    consumed: 3,
    redelivered: 1,
    recovered: 1,
  });
});

test.each<[string, Line[]]>([
  ["lost", [...publish(1, 10, 0), ...consume(2)]],
  [
    "lost",
    [
      ...publish(1, 10, 0),
      ...publish(1, 20, 1),
      ...publish(1, 30, 2),
      ...consume(2, [10, 0], [30, 2]),
    ],
  ],
  ["unexpected", consume(2, [66, 0])],
  ["unexpected", [...consume(2, [10, 0]), ...publish(1, 10, 0)]],
  ["aborted", [...ended("fail", 10), ...consume(2, [10, 0])]],
  ["stored-twice", [...publish(1, 10, 0), ...consume(2, [10, 0], [10, 1])]],
  ["stored-twice", [...publish(1, 10, 0), ...consume(2, [10, 1])]],
  ["stored-twice", [...ended("info", 10), ...consume(2, [10, 0]), ...consume(3, [10, 1])]],
  [
    "inconsistent-place",
    [...publish(1, 10, 0), ...ended("info", 20), ...consume(2, [10, 0]), ...consume(3, [20, 0])],
  ],
])("%s", (kind, lines) => {
  expect(kindsOf(lines)).toEqual([kind]);
});
