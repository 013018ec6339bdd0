// Goal: the check in linear time finds what is wrong with a log, names it, and finds nothing else.
// Method: histories by hand, one for each anomaly; random ones, whole and spoiled, beside the
// search that tries every order; and a hundred thousand operations.

import { Prng } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import { checkAppends } from "../src/check/append-check.ts";
import { checkLinearizability, type TimedCall } from "../src/check/linearizability.ts";
import { LOG_MODEL, type LogCall } from "../src/check/log-model.ts";
import type { HistoryEvent, Value } from "../src/history/history-event.ts";
import { operationsOf } from "../src/history/operations.ts";
import { eventsOf, type Line } from "./kit/lines.ts";

const LIMITS = { stepsMax: 10_000_000, memoryBytesMax: 256 * 1024 * 1024 };

const kindsOf = (lines: readonly Line[]): string[] =>
  checkAppends(operationsOf(eventsOf(lines))).anomalies.map(({ kind }) => kind);

/** One operation, and nobody else meanwhile. */
const append = (process: number, value: number, offset: number): Line[] => [
  [process, "invoke", "append", value],
  [process, "ok", "append", [value, offset]],
];
const read = (process: number, values: readonly number[], end: number | null): Line[] => [
  [process, "invoke", "read", 0],
  [process, "ok", "read", [0, values, end]],
];

describe("nothing is wrong", () => {
  test.each<[string, Line[]]>([
    [
      "with appends and a read",
      [...append(1, 10, 0), ...append(2, 20, 1), ...read(1, [10, 20], 2)],
    ],
    [
      "with a read that overlaps an append",
      [[1, "invoke", "append", 10], ...read(2, [], 0), [1, "ok", "append", [10, 0]]],
    ],
    [
      "with an append that nobody answered, seen later",
      [
        [1, "invoke", "append", 10],
        [1, "info", "append", 10],
        ...read(2, [], 0),
        ...append(3, 30, 0),
        ...read(2, [30, 10], 2),
      ],
    ],
    [
      "with a refused one of an expected offset",
      [
        ...append(1, 10, 0),
        [2, "invoke", "compareAndAppend", [0, 20]],
        [2, "ok", "compareAndAppend", [0, 20, 1]],
        ...read(1, [10], 1),
      ],
    ],
    [
      "with a part that is read",
      [...append(1, 10, 0), ...append(1, 20, 1), ...read(2, [10], null)],
    ],
  ])("%s", (_, lines) => {
    expect(kindsOf(lines)).toEqual([]);
  });
});

describe("each anomaly has its name", () => {
  test.each<[string, Line[]]>([
    ["inconsistent-offset", [...append(1, 10, 0), ...append(2, 20, 0)]],
    ["duplicate", [...append(1, 10, 0), [2, "invoke", "read", 1], [2, "ok", "read", [1, [10], 2]]]],
    ["lost", [...append(1, 10, 0), ...append(1, 20, 1), ...read(2, [10], 1)]],
    ["stale-read", [...append(1, 10, 0), ...read(2, [], 0), ...read(2, [10], 1)]],
    ["aborted-read", [[1, "invoke", "append", 10], [1, "fail", "append", 10], ...read(2, [10], 1)]],
    [
      "aborted-read",
      [
        [1, "invoke", "compareAndAppend", [3, 10]],
        [1, "ok", "compareAndAppend", [3, 10, 0]],
        ...read(2, [10], 1),
      ],
    ],
    // Read once, and never again: also of one that nobody was told of.
    [
      "lost",
      [
        [1, "invoke", "append", 10],
        [1, "info", "append", 10],
        ...read(2, [10], 1),
        ...read(3, [], 0),
      ],
    ],
    [
      "inconsistent-offset",
      [...append(1, 10, 0), ...append(1, 20, 1), ...append(3, 30, 1), ...read(2, [10, 30], 2)],
    ],
    [
      "stale-read",
      [
        ...append(1, 10, 0),
        [2, "invoke", "compareAndAppend", [5, 20]],
        [2, "ok", "compareAndAppend", [5, 20, 0]],
        ...read(1, [10], 1),
      ],
    ],
    ["duplicate", [...append(1, 10, 0), ...read(2, [10, 10], 2)]],
    ["unexpected", read(2, [66], 1)],
    ["inconsistent-read", [...append(1, 10, 0), ...append(1, 20, 1), ...read(2, [10], 2)]],
    [
      "wrong-offset",
      [
        ...append(1, 10, 0),
        [2, "invoke", "compareAndAppend", [0, 20]],
        [2, "info", "compareAndAppend", [0, 20]],
        ...read(1, [10, 20], 2),
      ],
    ],
    ["order", [...append(1, 10, 1), ...append(2, 20, 0), ...read(1, [20, 10], 2)]],
    // It was read before anybody had asked for it.
    ["order", [...read(2, [10], null), [1, "invoke", "append", 10], [1, "ok", "append", [10, 0]]]],
  ])("%s", (kind, lines) => {
    expect(kindsOf(lines)).toContain(kind);
  });
});

test("it agrees with the search, which tries every order", () => {
  const found = { linearizable: 0, violated: 0 };
  for (let seed = 1; seed <= 2_000; seed++) {
    const events = spoiled(historyOf(new Prng(seed), 12, 4), new Prng(seed * 7));
    const operations = operationsOf(events);
    const calls = operations.flatMap((operation) => timedCallOf(operation));
    const { kind } = checkLinearizability(LOG_MODEL, calls, LIMITS);
    if (kind === "unknown") throw new Error(`seed ${seed}: the search has found no end`);
    found[kind] += 1;
    const { anomalies } = checkAppends(operations);
    expect(anomalies.length === 0, `seed ${seed}: ${kind}, ${JSON.stringify(anomalies)}`).toBe(
      kind === "linearizable",
    );
  }
  expect(found.linearizable).toBeGreaterThan(200);
  expect(found.violated).toBeGreaterThan(200);
});

test("a hundred thousand operations are looked through at once", () => {
  const operations = operationsOf(historyOf(new Prng(1), 100_000, 50));
  const { anomalies, acknowledged, reads } = checkAppends(operations);
  expect(anomalies).toEqual([]);
  expect(acknowledged).toBeGreaterThan(30_000);
  expect(reads).toBeGreaterThan(20_000);
});

/** Of a log in memory: each operation takes effect at some moment while it is under way. */
function historyOf(prng: Prng, count: number, clients: number): HistoryEvent[] {
  const lines: Line[] = [];
  const log: number[] = [];
  const open = new Map<number, { ask: Line; effect?: Line | undefined }>();
  const names = Array.from({ length: clients }, (_, i) => i);
  let asked = 0;
  while (asked < count || open.size > 0) {
    const slot = prng.below(clients);
    const process = names[slot] as number;
    const state = open.get(slot);
    if (state === undefined) {
      if (asked === count) continue;
      const ask = question(prng, process, asked++, log.length);
      lines.push(ask);
      open.set(slot, { ask });
    } else if (state.effect === undefined) {
      // Some never take effect, and nobody hears of them.
      state.effect = prng.below(20) === 0 ? lostAnswer(state.ask) : answer(prng, state.ask, log);
    } else {
      lines.push(state.effect);
      open.delete(slot);
      if (state.effect[1] === "info") names[slot] = process + clients;
    }
  }
  const end: Line = [1_000_000, "ok", "read", [0, log.slice(), log.length]];
  // All of it would be too long to look at in a long history.
  if (count < 100) lines.push([1_000_000, "invoke", "read", 0], end);
  return eventsOf(lines);
}

function question(prng: Prng, process: number, number: number, length: number): Line {
  const kind = prng.below(3);
  if (kind === 0) return [process, "invoke", "append", number];
  if (kind === 1) return [process, "invoke", "compareAndAppend", [length, number]];
  return [process, "invoke", "read", Math.max(0, length - prng.below(5))];
}

function answer(prng: Prng, [process, , action, value]: Line, log: number[]): Line {
  // Of some that have taken effect nobody hears.
  const isHeard = prng.below(10) > 0;
  const told = (result: Value): Line =>
    isHeard ? [process, "ok", action, result] : [process, "info", action, value];
  if (action === "append") {
    log.push(value as number);
    return told([value, log.length - 1]);
  }
  if (action === "compareAndAppend") {
    const [expected = 0, written = 0] = value as readonly number[];
    const end = log.length;
    if (end === expected) log.push(written);
    return told([expected, written, end]);
  }
  const from = value as number;
  const isWhole = prng.below(2) === 0;
  const values = log.slice(from, isWhole ? undefined : from + 2);
  return told([from, values, isWhole ? log.length : null]);
}

function lostAnswer([process, , action, value]: Line): Line {
  return [process, "info", action, value];
}

/** In half of them, one answer is another than it was. */
function spoiled(events: HistoryEvent[], prng: Prng): HistoryEvent[] {
  if (prng.below(2) === 0) return events;
  const answers = events.filter(({ type }) => type === "ok");
  const chosen = answers[prng.below(answers.length)];
  return events.map((event) => {
    if (event !== chosen) return event;
    const [first, second, third] = event.value as readonly Value[];
    if (event.action === "read") {
      const values = (second as readonly Value[]).slice(0, -1);
      return { ...event, value: [first ?? 0, values, third === null ? null : values.length] };
    }
    if (event.action === "append")
      return { ...event, value: [first ?? 0, Math.max(0, (second as number) - 1)] };
    return { ...event, value: [first ?? 0, second ?? 0, (third as number) + 1] };
  });
}

function timedCallOf({
  invoke,
  completion,
}: ReturnType<typeof operationsOf>[number]): TimedCall<LogCall>[] {
  const isOk = completion?.type === "ok";
  const times = { invokedAt: invoke.index, returnedAt: isOk ? completion.index : Infinity };
  const told = (isOk ? completion.value : []) as readonly Value[];
  if (invoke.action === "append") {
    const offset = isOk ? (told[1] as number) : undefined;
    return [{ ...times, call: { action: "append", value: invoke.value as number, offset } }];
  }
  if (invoke.action === "compareAndAppend") {
    const [expected = 0, value = 0] = invoke.value as readonly number[];
    const end = isOk ? (told[2] as number) : undefined;
    return [{ ...times, call: { action: "compareAndAppend", expected, value, end } }];
  }
  if (!isOk) return [];
  const [from, values, end] = told as [number, number[], number | null];
  return [{ ...times, call: { action: "read", from, values, end: end ?? undefined } }];
}
