// Goal: the planted bugs fit the sources as they are now, and stand for the list of pitfalls.
// Method: plant each in a copy of the sources. What catches it is the business of the full run.
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { plantedBug, plantedBugs, ROW_MAX } from "../src/bug.ts";
import { parsePatch, PatchError } from "../src/patch.ts";
import { plant } from "../src/plant.ts";

const PROJECT = fileURLToPath(new URL("../../../", import.meta.url));

/** Up to it the bugs of the core, then those of what stands around it, then those of the broker. */
const CORE_NUMBER_MAX = 100;
const REPLICA_NUMBER_MAX = 300;
const ROWS = Array.from({ length: ROW_MAX }, (_, at) => at + 1);

const bugs = plantedBugs();

test("there are as many as were promised, each under a name and a number of its own", () => {
  const numbers = bugs.map(({ name }) => Number.parseInt(name, 10));
  const ofCore = numbers.filter((number) => number <= CORE_NUMBER_MAX);
  const ofBroker = numbers.filter((number) => number > REPLICA_NUMBER_MAX);
  const ofOthers = numbers.slice(ofCore.length, numbers.length - ofBroker.length);

  expect(ofCore.length).toBeGreaterThanOrEqual(36);
  expect(ofOthers.length).toBeGreaterThanOrEqual(36);
  expect(ofBroker.length).toBeGreaterThanOrEqual(12);
  expect(new Set(bugs.map(({ title }) => title)).size).toBe(bugs.length);
  expect(ofCore).toEqual(ofCore.map((_, at) => at + 1));
  expect(ofOthers).toEqual(ofOthers.map((_, at) => CORE_NUMBER_MAX + at + 1));
  expect(ofBroker).toEqual(ofBroker.map((_, at) => REPLICA_NUMBER_MAX + at + 1));
});

test("the list of pitfalls has the rows that bugs may name", () => {
  const list = readFileSync(new URL("../PITFALLS.md", import.meta.url), "utf8");

  const numbers = [...list.matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number));

  expect(numbers).toEqual(ROWS);
});

test("every row of the list has a bug", () => {
  const covered = new Set(bugs.flatMap(({ rows }) => rows));

  expect(ROWS.filter((row) => !covered.has(row))).toEqual([]);
});

test.each(bugs)("$name fits the sources", ({ patch }) => {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-bug-"));
  try {
    const paths = parsePatch(patch).map(({ oldPath = "" }) => oldPath.replace(/^a\//, ""));
    for (const path of paths) cpSync(join(PROJECT, path), join(folder, path));

    plant(patch, folder);

    for (const path of paths)
      expect(readFileSync(join(folder, path), "utf8")).not.toBe(
        readFileSync(join(PROJECT, path), "utf8"),
      );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe("the head of a bug's file", () => {
  const diff = "--- a/x.ts\n+++ b/x.ts\n@@ -1 +1 @@\n-a\n+b\n";

  test("says what is wrong, which rows it stands for, and what should notice", () => {
    const bug = plantedBug("07-x.patch", `Title: No quorum\nRow: 7, 25\nExpect: unit\n\n${diff}`);

    expect(bug).toMatchObject({ name: "07-x", title: "No quorum", rows: [7, 25] });
    expect(bug.expected).toBe("unit");
  });

  test.each([
    ["no title", "Row: 7\nExpect: unit\n"],
    ["a row that the list does not have", `Title: x\nRow: ${ROW_MAX + 1}\nExpect: unit\n`],
    ["nothing that should notice", "Title: x\nRow: 7\nExpect: luck\n"],
  ])("%s is refused", (_name, head) => {
    expect(() => plantedBug("07-x.patch", `${head}\n${diff}`)).toThrow(PatchError);
  });
});
