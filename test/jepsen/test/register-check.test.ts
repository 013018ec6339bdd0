// Goal: registers are looked at one by one, with what clients were told and nothing else.
// Method: histories by hand.

import { expect, test } from "vitest";
import { checkRegisters } from "../src/check/register-check.ts";
import type { Value } from "../src/history/history-event.ts";
import { operationsOf } from "../src/history/operations.ts";
import { eventsOf, type Line } from "./kit/lines.ts";

const LIMITS = { stepsMax: 100_000, memoryBytesMax: 16 * 1024 * 1024 };

const done = (process: number, action: string, asked: Value, told: Value = asked): Line[] => [
  [process, "invoke", action, asked],
  [process, "ok", action, told],
];
const read = (process: number, key: number, found: number | null): Line[] =>
  done(process, "read", [key, null], [key, found]);
const check = (lines: readonly Line[], limits = LIMITS): ReturnType<typeof checkRegisters> =>
  checkRegisters(operationsOf(eventsOf(lines)), limits);

test("registers that behave are accepted, each by itself", () => {
  const lines = [
    ...done(1, "write", [0, 5]),
    ...read(2, 1, null),
    ...done(1, "compareAndSet", [0, 5, 6], [0, 5, 6, true]),
    ...done(2, "compareAndSet", [0, 5, 7], [0, 5, 7, false]),
    ...read(2, 0, 6),
  ];
  expect(check(lines)).toEqual({ anomalies: [], unknown: [], keys: 2 });
});

test("what failed was never done, what is not known may have been", () => {
  const failed: Line[] = [
    [1, "invoke", "write", [0, 5]],
    [1, "fail", "write", [0, 5]],
  ];
  const open: Line[] = [
    [2, "invoke", "write", [0, 6]],
    [2, "info", "write", [0, 6]],
    [3, "invoke", "read", [0, null]],
    [3, "info", "read", [0, null]],
  ];
  expect(check([...failed, ...open, ...read(4, 0, null), ...read(4, 0, 6)]).anomalies).toEqual([]);
  expect(check([...failed, ...read(4, 0, 5)]).anomalies).toHaveLength(1);
});

test("an anomaly names the register, the operation, and those that were before it", () => {
  const { anomalies } = check([...done(1, "write", [3, 5]), ...read(2, 3, 5), ...read(2, 3, null)]);
  const [anomaly] = anomalies;
  expect(anomaly?.key).toBe(3);
  expect(anomaly?.stuck.completion?.value).toEqual([3, null]);
  expect(anomaly?.before.map(({ invoke }) => invoke.action)).toEqual(["write", "read"]);
});

test("a search without an end says so", () => {
  const many = Array.from({ length: 20 }, (_, i): Line => [i, "invoke", "write", [0, i]]);
  const { unknown } = check([...many, ...read(99, 0, 77)], { ...LIMITS, stepsMax: 50 });
  expect(unknown).toEqual([{ key: 0, why: "steps" }]);
});

test.each<[string, Line[]]>([
  ["a write that is lost", [...done(1, "write", [0, 5]), ...read(2, 0, null)]],
  ["a stale read", [...done(1, "write", [0, 5]), ...done(1, "write", [0, 6]), ...read(2, 0, 5)]],
  ["a read from nowhere", read(2, 0, 7)],
  ["a read of what is asked for later", [...read(2, 0, 5), ...done(1, "write", [0, 5])]],
  [
    "two who exchanged one value",
    [
      ...done(1, "compareAndSet", [0, null, 5], [0, null, 5, true]),
      ...done(2, "compareAndSet", [0, null, 6], [0, null, 6, true]),
    ],
  ],
  [
    "what was seen of an unknown outcome is undone",
    [
      [1, "invoke", "write", [0, 5]],
      [1, "info", "write", [0, 5]],
      ...read(2, 0, 5),
      ...read(2, 0, null),
    ],
  ],
])("found: %s", (_, lines) => {
  expect(check(lines).anomalies).toHaveLength(1);
});

test.each([
  ["a value that is no list", done(1, "read", 7), /no list/u],
  ["a key that is no number", done(1, "read", ["a", null]), /no number/u],
  ["a read that does not say of what", done(1, "read", [0, null], [0]), /what was read/u],
  ["an exchange that does not say", done(1, "compareAndSet", [0, 5, 6]), /was it set/u],
  ["another action", done(1, "increment", [0, 1]), /knows no increment/u],
] as const)("refused: %s", (_, lines, message) => {
  expect(() => check(lines)).toThrow(message);
});
