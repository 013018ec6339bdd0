// Goal: each anomaly of queues that are read by offset is found, named, and not seen elsewhere.
// Method: histories by hand, one for each; and a long one of queues that were really there.

import { Prng } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import { checkKafka } from "../src/check/kafka-check.ts";
import type { Value } from "../src/history/history-event.ts";
import { operationsOf } from "../src/history/operations.ts";
import { eventsOf, type Line } from "./kit/lines.ts";

const kindsOf = (lines: readonly Line[], isDrained = false): string[] =>
  checkKafka(operationsOf(eventsOf(lines)), isDrained).anomalies.map(({ kind }) => kind);

const send = (process: number, value: number, offset: number, queue = 0): Line[] => [
  [process, "invoke", "send", [queue, value]],
  [process, "ok", "send", [queue, value, offset]],
];
const poll = (process: number, ...messages: (readonly [number, number])[]): Line[] => [
  [process, "invoke", "poll", null],
  [process, "ok", "poll", [[0, messages]]],
];
const done = (process: number, action: string, value: Value): Line[] => [
  [process, "invoke", action, value],
  [process, "ok", action, value],
];

/** Acknowledged at 0 to 3; and a client that reads 0 to 2, and goes on at 4. */
const four = [0, 1, 2, 3].flatMap((offset) => send(1, 10 * (offset + 1), offset));
const soughtPast = [
  ...send(4, 50, 4),
  ...poll(2, [0, 10], [1, 20], [2, 30]),
  ...done(2, "seek", [0, 4]),
  ...poll(2, [4, 50]),
];

describe("nothing is wrong", () => {
  test.each<[string, Line[]]>([
    [
      "if all is read in order",
      [...send(1, 10, 0), ...send(1, 20, 1), ...poll(2, [0, 10], [1, 20])],
    ],
    ["if the newest are not read", [...send(1, 10, 0), ...poll(2, [0, 10]), ...send(1, 20, 1)]],
    [
      "if a client goes back because it was told to",
      [
        ...send(1, 10, 0),
        ...poll(2, [0, 10]),
        ...done(2, "seek", [0, 0]),
        ...poll(2, [0, 10]),
        ...done(2, "assign", [1]),
        ...done(2, "assign", [0]),
        ...poll(2, [0, 10]),
      ],
    ],
    [
      "if a client goes back to a seek that another one has not asked for",
      [...four, ...poll(2, [0, 10], [1, 20]), ...done(3, "seek", [0, 0]), ...poll(2, [2, 30])],
    ],
    [
      "if it seeks behind the end, and nothing comes",
      [...four, ...poll(2, [0, 10]), ...done(2, "seek", [0, 9]), ...poll(2)],
    ],
    [
      "if a seek that failed has moved nothing",
      [
        ...four,
        ...poll(2, [0, 10]),
        [2, "invoke", "seek", [0, 3]],
        [2, "fail", "seek", [0, 3]],
        ...poll(2, [1, 20], [2, 30], [3, 40]),
      ],
    ],
    [
      "if an offset that no message has is passed over",
      [...send(1, 10, 0), ...send(1, 30, 2), ...poll(2, [0, 10], [2, 30])],
    ],
    [
      "if two clients send at the same time, in any order",
      [[3, "invoke", "send", [0, 20]], ...send(1, 10, 1), [3, "ok", "send", [0, 20, 0]]],
    ],
    [
      "if what nobody answered is read",
      [[1, "invoke", "send", [0, 10]], [1, "info", "send", [0, 10]], ...poll(2, [0, 10])],
    ],
    [
      "if another client reads what one has sought past",
      [...four, ...soughtPast, ...poll(3, [0, 10], [1, 20], [2, 30], [3, 40])],
    ],
    [
      "if what a client has sought past was never acknowledged",
      [
        ...four.slice(0, 6),
        [1, "invoke", "send", [0, 40]],
        [1, "info", "send", [0, 40]],
        ...soughtPast,
      ],
    ],
    ["if nobody has read so far", [...four, ...poll(2, [0, 10], [1, 20], [2, 30])]],
  ])("%s", (_, lines) => {
    expect(kindsOf(lines)).toEqual([]);
  });
});

describe("what nobody has read is lost as soon as anybody has read behind it", () => {
  test.each<[string, Line[]]>([
    ["by a client that has sought past it", [...four, ...soughtPast]],
    [
      "by one that began behind it",
      [...send(1, 40, 3), ...send(4, 50, 4), ...done(2, "seek", [0, 4]), ...poll(2, [4, 50])],
    ],
    [
      "though others have read all that is before it",
      [...four, ...soughtPast, ...poll(3, [0, 10], [1, 20], [2, 30])],
    ],
  ])("%s", (_, lines) => {
    for (const isDrained of [false, true])
      expect(kindsOf(lines, isDrained)).toEqual(["lost-write"]);
  });
});

describe("each anomaly has its name", () => {
  const two = [...send(1, 10, 0), ...send(1, 20, 1), ...send(1, 30, 2)];
  test.each<[string, Line[]]>([
    ["inconsistent-offsets", [...send(1, 10, 0), ...poll(2, [0, 20])]],
    ["duplicate", [...send(1, 10, 0), ...poll(2, [0, 10], [1, 10])]],
    ["lost-write", [...two, ...poll(2, [0, 10], [2, 30])]],
    [
      "aborted-read",
      [[1, "invoke", "send", [0, 9]], [1, "fail", "send", [0, 9]], ...poll(2, [0, 9])],
    ],
    ["unexpected", poll(2, [0, 66])],
    ["unexpected", [...send(1, 10, 0, 5), ...poll(2, [0, 10])]],
    ["unexpected", [...poll(2, [0, 10]), ...send(1, 10, 0)]],
    ["inconsistent-offsets", [...send(1, 10, 0), ...poll(2, [0, 10]), ...send(3, 20, 0)]],
    ["duplicate", [...send(1, 10, 0), ...poll(2, [1, 10])]],
    ["poll-skip", [...two, ...poll(2, [0, 10]), ...poll(2, [2, 30])]],
    ["poll-skip", [...two, ...poll(2, [0, 10]), ...done(2, "assign", [1, 0]), ...poll(2, [2, 30])]],
    ["poll-skip", [...two, ...done(2, "seek", [0, 0]), ...poll(2, [1, 20], [2, 30])]],
    ["nonmonotonic-poll", [...two, ...done(2, "seek", [0, 1]), ...poll(2, [0, 10])]],
    [
      "nonmonotonic-poll",
      [...two, ...poll(2, [1, 20]), ...done(2, "assign", [0]), ...poll(2, [0, 10])],
    ],
    ["nonmonotonic-poll", [...two, ...poll(2, [1, 20]), ...poll(2, [1, 20])]],
    ["internal-poll-skip", [...two, ...poll(2, [0, 10], [2, 30])]],
    ["internal-nonmonotonic-poll", [...two, ...poll(2, [1, 20], [0, 10])]],
    ["nonmonotonic-send", [...send(1, 10, 1), ...send(1, 20, 0)]],
  ])("%s", (kind, lines) => {
    expect(kindsOf(lines)).toContain(kind);
  });

  test("unseen, if all was drained", () => {
    expect(kindsOf(send(1, 10, 0), true)).toEqual(["unseen"]);
    expect(kindsOf(send(1, 10, 0), false)).toEqual([]);
  });
});

test("queues that were really there have none", () => {
  const prng = new Prng(3);
  const queues: number[][] = [[], [], []];
  const positions = new Map<string, number>();
  const lines: Line[] = [];
  for (let value = 0; value < 5_000; value++) {
    const queue = prng.below(3);
    const log = queues[queue] as number[];
    if (prng.below(2) === 0) {
      log.push(value);
      lines.push(...send(prng.below(4), value, log.length - 1, queue));
      continue;
    }
    const process = 10 + prng.below(4);
    const from = positions.get(`${process} ${queue}`) ?? 0;
    const count = prng.below(20);
    const messages = log.slice(from, from + count).map((each, i) => [from + i, each] as const);
    positions.set(`${process} ${queue}`, from + messages.length);
    lines.push([process, "invoke", "poll", null], [process, "ok", "poll", [[queue, messages]]]);
  }
  const result = checkKafka(operationsOf(eventsOf(lines)), false);
  expect(result.anomalies).toEqual([]);
  expect(result.acknowledged).toBeGreaterThan(1_000);
  expect(result.polled).toBeGreaterThan(1_000);
});
