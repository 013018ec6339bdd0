// Goal: a history is the same after it was written and read, and what is none is refused with the
// place and the reason.
// Method: events of all kinds; lines that are wrong in one way each.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { HistoryEvent } from "../src/history/history-event.ts";
import { toEdnLine } from "../src/history/edn-line.ts";
import { toJsonLine } from "../src/history/history-file.ts";
import { readHistory, type ReadHistoryOptions } from "../src/history/history-reader.ts";
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

function readText(text: string, options?: ReadHistoryOptions): HistoryEvent[] {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-history-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const path = join(folder, "history.jsonl");
  writeFileSync(path, text);
  return readHistory(path, options);
}

const EVENTS_TEXT = EVENTS.map((event) => toJsonLine(event)).join("\n");

test("what is written as JSON is read back", () => {
  expect(readText(`${EVENTS_TEXT}\n\n`)).toEqual(EVENTS);
  expect(readText(EVENTS_TEXT)).toEqual(EVENTS);
});

test.each([1, 2, 7, 64, 4_096])("also in pieces of %i bytes", (pieceBytes) => {
  const long: HistoryEvent = { ...(EVENTS[3] as HistoryEvent), index: 5, value: "é€😀".repeat(40) };
  const text = `${EVENTS_TEXT}\n${toJsonLine(long)}`;
  expect(readText(text, { pieceBytes })).toEqual([...EVENTS, long]);
  expect(readText(`${text}\n`, { pieceBytes, isGrowing: true })).toEqual([...EVENTS, long]);
});

test("of one that is written to, a part of a line is left for later", () => {
  const text = `${EVENTS_TEXT}\n{"index":5`;
  expect(readText(text, { isGrowing: true })).toEqual(EVENTS);
  expect(() => readText(text)).toThrow(/line 6 is no JSON/u);
});

test("as EDN it is what Jepsen writes", () => {
  expect(EVENTS.map((event) => toEdnLine("append", event))).toEqual([
    "{:index 0, :time 5, :type :invoke, :process 0, :f :append, :value 17}",
    '{:index 1, :time 9, :type :info, :process :nemesis, :f :kill-leader, :value "n1"}',
    "{:index 2, :time 12, :type :ok, :process 0, :f :append, :value [17 0]}",
    "{:index 3, :time 13, :type :invoke, :process 1, :f :read, :value nil}",
    "{:index 4, :time 14, :type :fail, :process 1, :f :read, :value nil, :error :not-leader}",
  ]);
});

test.each<[string, string, HistoryEvent["value"], string]>([
  ["register", "ok read", [3, null], ":ok :read [3 nil]"],
  ["register", "ok write", [3, 4], ":ok :write [3 4]"],
  ["register", "invoke compareAndSet", [3, 4, 5], ":invoke :cas [3 [4 5]]"],
  ["register", "ok compareAndSet", [3, 4, 5, true], ":ok :cas [3 [4 5]]"],
  ["register", "ok compareAndSet", [3, 4, 5, false], ":fail :cas [3 [4 5]]"],
  ["register", "info compareAndSet", [3, null, 5], ":info :cas [3 [nil 5]]"],
  ["queue", "invoke publish", 7, ":invoke :enqueue 7"],
  ["queue", "ok publish", [7, 0, 12], ":ok :enqueue 7"],
  ["ordered", "ok publish", [2, 7, 0, 12], ":ok :enqueue 7"],
  ["queue", "invoke consume", null, ":invoke :drain nil"],
  [
    "queue",
    "ok consume",
    [
      [7, 0, 12],
      [8, 1, 3],
    ],
    ":ok :drain [7 8]",
  ],
  ["ordered", "ok consume", [[2, 7, 0, 12]], ":ok :drain [7]"],
  ["queue", "info consume", null, ":fail :drain nil"],
  ["kafka", "invoke send", [1, 9], ":invoke :send [[:send 1 9]]"],
  ["kafka", "ok send", [1, 9, 4], ":ok :send [[:send 1 [4 9]]]"],
  ["kafka", "invoke poll", null, ":invoke :poll [[:poll]]"],
  [
    "kafka",
    "ok poll",
    [
      [1, [[4, 9]]],
      [2, []],
    ],
    ":ok :poll [[:poll {1 [[4 9]], 2 []}]]",
  ],
  ["kafka", "ok assign", [1, 2], ":ok :assign [1 2]"],
])("of %s, %s is what Jepsen's checkers know", (workload, words, value, expected) => {
  const [type, action] = words.split(" ") as [HistoryEvent["type"], string];
  const line = toEdnLine(workload, { index: 0, timeNs: 0, type, process: 0, action, value });
  const [, kind, f, what] = /:type (:\w+), .*:f (:\w+), :value (.*)\}$/u.exec(line) ?? [];
  expect(`${kind} ${f} ${what}`).toBe(expected);
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
    expect(() => readText(`${good}\n${line}`)).toThrow(message);
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
