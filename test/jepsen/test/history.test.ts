// Goal: a history is the same after it was written and read, and what is none is refused with the
// place and the reason.
// Method: events of all kinds; lines that are wrong in one way each.

import { describe, expect, test } from "vitest";
import type { HistoryEvent } from "../src/history/history-event.ts";
import { parseHistory, toEdnLine, toJsonLine } from "../src/history/history-file.ts";
import { operationsOf } from "../src/history/operations.ts";
import { eventsOf } from "./kit/lines.ts";

const EVENTS: readonly HistoryEvent[] = [
  { index: 0, timeNs: 5, type: "invoke", process: 0, action: "append", value: 17 },
  { index: 1, timeNs: 9, type: "info", process: "nemesis", action: "killLeader", value: "n1" },
  { index: 2, timeNs: 12, type: "ok", process: 0, action: "append", value: [17, 0] },
  { index: 3, timeNs: 13, type: "invoke", process: 1, action: "read", value: null },
  {
    index: 4,
    timeNs: 14,
    type: "fail",
    process: 1,
    action: "read",
    value: null,
    error: "NOT_LEADER",
  },
];

test("what is written as JSON is read back", () => {
  const text = EVENTS.map((event) => toJsonLine(event)).join("\n");
  expect(parseHistory(`${text}\n\n`)).toEqual(EVENTS);
});

test("as EDN it is what Jepsen writes", () => {
  expect(EVENTS.map((event) => toEdnLine(event))).toEqual([
    "{:index 0, :time 5, :type :invoke, :process 0, :f :append, :value 17}",
    '{:index 1, :time 9, :type :info, :process :nemesis, :f :kill-leader, :value "n1"}',
    "{:index 2, :time 12, :type :ok, :process 0, :f :append, :value [17 0]}",
    "{:index 3, :time 13, :type :invoke, :process 1, :f :read, :value nil}",
    "{:index 4, :time 14, :type :fail, :process 1, :f :read, :value nil, :error :not-leader}",
  ]);
});

describe("a line that is no event is refused", () => {
  const good = toJsonLine(EVENTS[0] as HistoryEvent);
  test.each<[string, RegExp]>([
    ["nonsense", /line 2 is no JSON/u],
    ["7", /line 2 is no event/u],
    [good.replace('"index":0', '"index":-1'), /line 2: "index"/u],
    [good.replace("invoke", "begin"), /line 2: "type" should be invoke, ok, fail, info/u],
    [good.replace('"process":0', '"process":"x"'), /line 2: "process"/u],
    [good.replace('"f":"append"', '"f":""'), /line 2: "f"/u],
    [good.replace("17", '{"a":1}'), /line 2: "value"/u],
  ])("%s", (line, message) => {
    expect(() => parseHistory(`${good}\n${line}`)).toThrow(message);
  });
});

describe("events that do not fit together are refused", () => {
  test.each<[string, Parameters<typeof eventsOf>[0], RegExp]>([
    [
      "two at a time",
      [
        [1, "invoke", "a", 0],
        [1, "invoke", "a", 1],
      ],
      /has an operation under way/u,
    ],
    ["an end without a beginning", [[1, "ok", "a", 0]], /has not asked for a/u],
    [
      "another end",
      [
        [1, "invoke", "a", 0],
        [1, "ok", "b", 0],
      ],
      /has not asked for b/u,
    ],
    [
      "on behind an end that is not known",
      [
        [1, "invoke", "a", 0],
        [1, "info", "a", 0],
        [1, "invoke", "a", 1],
      ],
      /process 1 was over/u,
    ],
  ])("%s", (_, lines, message) => {
    expect(() => operationsOf(eventsOf(lines))).toThrow(message);
  });

  test("and whatever is not in order", () => {
    const [first, , , fourth] = EVENTS;
    expect(() => operationsOf([fourth as HistoryEvent, first as HistoryEvent])).toThrow(
      /event 0 comes behind event 3/u,
    );
  });
});

test("an operation that nobody ended is not known", () => {
  const [operation] = operationsOf(eventsOf([[1, "invoke", "a", 0]]));
  expect(operation?.completion).toBeUndefined();
});
