// Goal: an offset of a consumer group that goes back is found, whoever sees it.
// Method: histories by hand, one for each.

import { expect, test } from "vitest";
import { checkOffsets } from "../src/check/offset-check.ts";
import type { Value } from "../src/history/history-event.ts";
import { operationsOf } from "../src/history/operations.ts";
import { eventsOf, type Line } from "./kit/lines.ts";

const step = (process: number, action: string, asked: Value, told: Value): Line[] => [
  [process, "invoke", action, asked],
  [process, "ok", action, told],
];
const commit = (process: number, offset: number): Line[] =>
  step(process, "commit", [0, offset], [0, offset]);
const committed = (process: number, offset: number): Line[] =>
  step(process, "committed", 0, [0, offset]);
const kindsOf = (lines: readonly Line[]): string[] =>
  checkOffsets(operationsOf(eventsOf(lines))).anomalies.map(({ kind }) => kind);

test.each<[string, Line[]]>([
  ["one after another", [...commit(1, 5), ...committed(2, 5), ...commit(1, 9), ...committed(2, 9)]],
  ["a commit that is late", [...commit(1, 9), ...commit(2, 5), ...committed(3, 9)]],
  [
    "a commit that nobody answered",
    [[1, "invoke", "commit", [0, 7]], ...committed(2, 0), ...committed(3, 7), ...committed(2, 7)],
  ],
  [
    "a read that began before the commit was over",
    [[2, "invoke", "committed", 0], ...commit(1, 5), [2, "ok", "committed", [0, 0]]],
  ],
  [
    "a read that failed",
    [...commit(1, 5), [2, "invoke", "committed", 0], [2, "fail", "committed", 0]],
  ],
  ["another queue", [...commit(1, 5), ...step(2, "committed", 1, [1, 0])]],
])("are as they should be: %s", (_, lines) => {
  expect(kindsOf(lines)).toEqual([]);
});

test.each<[string, Line[]]>([
  ["offset-went-back", [...commit(1, 5), ...committed(2, 4)]],
  ["offset-went-back", [...commit(1, 5), ...committed(2, 5), ...commit(3, 3), ...committed(2, 3)]],
  ["offset-went-back", [[1, "invoke", "commit", [0, 7]], ...committed(2, 7), ...committed(3, 0)]],
  [
    "offset-from-nowhere",
    [[1, "invoke", "commit", [0, 7]], [1, "fail", "commit", [0, 7]], ...committed(2, 7)],
  ],
  ["offset-from-nowhere", [...commit(1, 5), ...committed(2, 6)]],
  ["offset-from-nowhere", [...committed(2, 5), ...commit(1, 5)]],
])("%s", (kind, lines) => {
  expect(kindsOf(lines)).toEqual([kind]);
});
