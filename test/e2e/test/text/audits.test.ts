// Goal: whatever may go wrong on the way of a text through a cluster is noticed.
// Method: a small text, told to the audits with a line lost, twice, changed, or out of order.

import { expect, test } from "vitest";
import { DeliveredRanges } from "../../src/text/delivered-ranges.ts";
import { DeliveryAudit, type DeliveredRange } from "../../src/text/delivery-audit.ts";
import { ProblemList } from "../../src/text/problem-list.ts";
import { numberedLines } from "../../src/text/source-text.ts";
import { StoredAudit } from "../../src/text/stored-audit.ts";
import { TextLedger } from "../../src/text/text-ledger.ts";

const PATH = "a/poem.md";
const LINES = numberedLines(Buffer.from("one\ntwo\n\nthree"));

function ledger(): TextLedger {
  const made = new TextLedger();
  made.add({ path: PATH, lines: LINES });
  return made;
}

/** @param numbers - Of lines, in the order in which they are stored in one queue. */
function problemsOfStored(numbers: readonly number[]): readonly string[] {
  const problems = new ProblemList();
  const audit = new StoredAudit(ledger(), problems);
  for (const [offset, number] of numbers.entries())
    audit.add({ queue: 1, offset, messageGroup: PATH, body: LINES[number] as Buffer });
  audit.finish();
  return problems.lines();
}

/** @param members - The numbers of the lines that each was handed, one member after the other. */
function problemsOfDelivered(members: readonly (readonly number[])[]): readonly string[] {
  const problems = new ProblemList();
  const audit = new DeliveryAudit(ledger(), problems);
  for (const [i, numbers] of members.entries()) {
    const ranges = new DeliveredRanges();
    for (const number of numbers) ranges.add(PATH, LINES[number] as Buffer);
    // In the order of the members, however fast this is.
    for (const [j, range] of ranges.take().entries()) audit.add({ ...range, at: 10 * i + j });
  }
  audit.finish();
  return problems.lines();
}

test("lines have their numbers in front, and empty ones are lines", () => {
  expect(LINES.map(String)).toEqual(["0:one", "1:two", "2:", "3:three"]);
  expect(numberedLines(Buffer.from("end\n")).map(String)).toEqual(["0:end"]);
  expect(numberedLines(Buffer.alloc(0))).toEqual([]);
});

test("what is stored once and in order is well", () => {
  expect(problemsOfStored([0, 1, 2, 3])).toEqual([]);
});

test.each([
  ["lost at the end", [0, 1, 2], "a/poem.md: 3 of 4 lines are stored"],
  ["stored twice", [0, 1, 1, 2, 3], "offset 2 of queue 1: line 1 of a/poem.md is stored again"],
  ["lost", [0, 2, 3], "offset 1 of queue 1: line 2 of a/poem.md stands before 1"],
])("a line that is %s is noticed", (_what, numbers, problem) => {
  expect(problemsOfStored(numbers)).toEqual([problem]);
});

test("a line with other bytes, and an offset that is left out, are noticed", () => {
  const problems = new ProblemList();
  const audit = new StoredAudit(ledger(), problems);

  audit.add({ queue: 0, offset: 0, messageGroup: PATH, body: Buffer.from("0:won") });
  audit.add({ queue: 0, offset: 2, messageGroup: PATH, body: LINES[0] as Buffer });

  expect(problems.lines()).toEqual([
    'offset 0 of queue 0: line 0 of "a/poem.md" was not published so',
    "queue 0: offset 2 follows 0",
  ]);
});

test("what several members were handed one behind the other is well, also twice", () => {
  expect(problemsOfDelivered([[0, 1, 2, 3]])).toEqual([]);
  expect(
    problemsOfDelivered([
      [0, 1, 2],
      [1, 2, 3],
    ]),
  ).toEqual([]);
});

test.each([
  ["never handed out", [[0, 1, 3]], "a/poem.md: line 2 of 4 was never consumed"],
  [
    "handed out before the line in front of it",
    [
      [1, 2, 3],
      [0, 1],
    ],
    "a/poem.md: line 1 was consumed before line 0",
  ],
])("a line that was %s is noticed", (_what, members, problem) => {
  expect(problemsOfDelivered(members)).toContain(problem);
});

test("redeliveries are counted", () => {
  const audit = new DeliveryAudit(ledger(), new ProblemList());
  const ranges = new DeliveredRanges();
  for (const number of [0, 1, 0, 1, 2]) ranges.add(PATH, LINES[number] as Buffer);

  for (const range of ranges.take()) audit.add(range);

  expect(audit.deliveredCount).toBe(3);
  expect(audit.redeliveredCount).toBe(2);
});

test("a member that was handed other bytes is noticed", () => {
  const problems = new ProblemList();
  const audit = new DeliveryAudit(ledger(), problems);
  const range: DeliveredRange = { path: PATH, from: 0, to: 4, fold: 7, at: 0 };

  audit.add(range);

  expect(problems.lines()).toEqual(["a/poem.md: lines [0, 4) were consumed with other bytes"]);
});
