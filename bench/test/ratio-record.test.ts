// Goal: the file of recorded ratios is read as it was written, and refused if it is anything else;
// the one in the repository has a record for each case, and for nothing else.
// Method: texts by hand, and the file itself.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { GUARD_PARTS } from "../src/guard/guard-parts.ts";
import { formatRecords, parseRecords } from "../src/guard/ratio-record.ts";

const RECORD = { ratio: 0.8, date: "2026-11-22", machine: "a machine", commit: "c2b65b2f4a" };

test("what was written is read, with three digits of its ratios", () => {
  const text = formatRecords(
    new Map([
      ["log", RECORD],
      ["core", { ...RECORD, ratio: 0.012_345_6 }],
    ]),
  );

  expect([...parseRecords(text)]).toEqual([
    ["log", RECORD],
    ["core", { ...RECORD, ratio: 0.012_3 }],
  ]);
  expect(text.endsWith("}\n")).toBe(true);
});

test.each([
  ["a list", "[]", "recorded ratios are an object"],
  ["a number for a record", '{"log":0.8}', '"log": not an object'],
  ["no ratio", written({ ratio: undefined }), '"log": ratio is not a number above 0'],
  ["a ratio of 0", written({ ratio: 0 }), '"log": ratio is not a number above 0'],
  ["no date", written({ date: undefined }), '"log": date is not a text'],
  ["an empty machine", written({ machine: "" }), '"log": machine is not a text'],
  ["a number of a commit", written({ commit: 7 }), '"log": commit is not a text'],
  ["a word too many", written({ ratios: 1 }), '"log": ratios is no field of a record'],
])("%s is refused", (_, text, problem) => {
  expect(() => parseRecords(text)).toThrow(problem);
});

test("all that is wrong is told at once", () => {
  const text = JSON.stringify({ log: { ...RECORD, ratio: -1 }, core: { ...RECORD, date: 3 } });

  expect(() => parseRecords(text)).toThrow(/"log": .*\n"core": /u);
});

test("each case of the guard is recorded, and nothing else is", () => {
  const file = new URL("../guard.json", import.meta.url);
  const records = parseRecords(readFileSync(file, "utf8"));

  expect([...records.keys()].toSorted()).toEqual(
    GUARD_PARTS.flatMap(({ cases }) => cases).toSorted(),
  );
});

function written(changes: object): string {
  return JSON.stringify({ log: { ...RECORD, ...changes } });
}
