// Goal: what seems to be slower is measured again, and nothing else is; noise passes, a change that
// slows down does not; and all ends in time.
// Method: parts whose measurements give figures by hand, and a clock by hand.

import { expect, test } from "vitest";
import {
  type AttemptOptions,
  measureForRecord,
  measureParts,
} from "../src/guard/guard-attempts.ts";
import type { GuardPart } from "../src/guard/guard-part.ts";
import { verdictOf } from "../src/guard/guard-verdict.ts";
import type { RatioRecords } from "../src/guard/ratio-record.ts";

const RECORD = { ratio: 1, date: "2026-11-22", machine: "a machine", commit: "c2b65b2f4a" };
const RECORDS: RatioRecords = new Map([
  ["log a", RECORD],
  ["log b", RECORD],
  ["core", RECORD],
]);
const LOG = partOf("log a", "log b");
const CORE = partOf("core");
const MINUTE_MS = 60_000;

function partOf(...cases: readonly string[]): GuardPart {
  return { bench: "log", cases, start: () => Promise.reject(new Error("nothing is run here")) };
}

/** @param ratios - By name, of the first measurement and of those that follow. */
function gives(
  ratios: Readonly<Record<string, readonly number[]>>,
  more: {
    readonly tookMs?: number;
    readonly againUntilMs?: number;
    /** Of each measurement; the last one stays. */
    readonly others?: readonly number[];
  } = {},
): AttemptOptions & { readonly measured: string[][]; readonly said: string[] } {
  const { tookMs = 0, againUntilMs = MINUTE_MS, others = [0] } = more;
  const measured: string[][] = [];
  const said: string[] = [];
  const times = new Map<string, number>();
  return {
    records: RECORDS,
    measured,
    said,
    againUntilMs,
    now: () => measured.length * tookMs,
    say: (line) => said.push(line),
    measure: ({ cases }) => {
      const busy = others[measured.length] ?? others.at(-1) ?? 0;
      measured.push([...cases]);
      const figures = cases.map((name) => {
        const time = times.get(name) ?? 0;
        times.set(name, time + 1);
        return [name, { ratio: ratios[name]?.[time] ?? Number.NaN, others: busy }] as const;
      });
      return Promise.resolve(new Map(figures));
    },
  };
}

test("what holds is measured once", async () => {
  const options = gives({ "log a": [0.51], "log b": [2], core: [0.9] });

  const findings = await measureParts([CORE, LOG], options);

  expect(options.measured).toEqual([["core"], ["log a", "log b"]]);
  expect(findings.map(({ name }) => name)).toEqual(["core", "log a", "log b"]);
});

test("a stall is measured again, alone, and passes", async () => {
  const options = gives({ "log a": [0.1, 0.9], "log b": [1], core: [1] });

  const findings = await measureParts([LOG, CORE], options);

  expect(options.measured).toEqual([["log a", "log b"], ["core"], ["log a"]]);
  expect(options.said).toEqual(["below half of the record, measured again: log a"]);
  expect(findings.map((finding) => verdictOf(finding, RECORDS))).toEqual([
    "holds",
    "holds",
    "holds",
  ]);
});

test("a change that slows down is found: three times, and no more", async () => {
  const options = gives({ "log a": [0.49, 0.49, 0.49, 0.9], "log b": [1], core: [1] });

  const findings = await measureParts([LOG, CORE], options);

  expect(options.measured).toHaveLength(4);
  const verdicts = findings.map((finding) => verdictOf(finding, RECORDS));
  expect(verdicts).toEqual(["slower", "holds", "holds"]);
});

test("nothing is measured again that would end too late, and that is told", async () => {
  const more = { tookMs: 25_000, againUntilMs: MINUTE_MS };
  const options = gives({ "log a": [0.1, 0.9], core: [1] }, more);

  const [finding] = await measureParts([partOf("log a"), CORE], options);

  expect(options.measured).toEqual([["log a"], ["core"]]);
  expect(options.said).toEqual(["no time to measure again: log a"].flatMap((line) => [line, line]));
  expect(finding?.figures).toHaveLength(1);
});

test("what is not wanted is not measured, and what has no record is not again", async () => {
  const options = gives({ new: [0.01] });

  await measureParts([partOf(), partOf("new")], options);

  expect(options.measured).toEqual([["new"]]);
});

test("a record is of three measurements, and none that others have disturbed", async () => {
  const ratios = { "log a": [9, 0.5, 9, 0.7, 0.6], "log b": [9, 1, 9, 1, 1] };
  const options = gives(ratios, { others: [0.3, 0, 0.2, 0.1, 0] });

  const { findings, disturbed } = await measureForRecord([LOG, partOf()], options);

  expect(findings.map(({ figures }) => figures.map(({ ratio }) => ratio))).toEqual([
    [0.5, 0.7, 0.6],
    [1, 1, 1],
  ]);
  expect(disturbed).toEqual([]);
  expect(options.said).toHaveLength(2);
});

test("on a machine that is never quiet nothing is recorded, and other parts are", async () => {
  const options = gives(
    { "log a": [], core: [1, 1, 1] },
    { others: [...Array.from({ length: 9 }, () => 0.5), 0] },
  );

  const { findings, disturbed } = await measureForRecord([LOG, CORE], options);

  expect(options.measured).toHaveLength(9 + 3);
  expect(findings.map(({ name }) => name)).toEqual(["core"]);
  expect(disturbed).toEqual(LOG.cases);
});
