// Goal: the planted bugs fit the core as it is now, and stand for the list of pitfalls.
// Method: plant each in a copy of the sources. What catches it is the business of the full run.
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { plantedBug, plantedBugs } from "../src/bug.ts";
import { parsePatch, PatchError } from "../src/patch.ts";
import { plant } from "../src/plant.ts";

const SOURCES = fileURLToPath(new URL("../../../packages/raft/src/", import.meta.url));

/** Rows of PITFALLS.md that are about disks or clients, which the core has none of. */
const ROWS_OF_OTHERS = [13, 14, 15, 45];

const bugs = plantedBugs();

test("there are as many as were promised, each under a name and a number of its own", () => {
  expect(bugs.length).toBeGreaterThanOrEqual(36);
  expect(new Set(bugs.map(({ title }) => title)).size).toBe(bugs.length);
  expect(bugs.map(({ name }) => Number(name.slice(0, 2)))).toEqual(bugs.map((_, at) => at + 1));
});

test("the list of pitfalls has the rows that bugs may name", () => {
  const list = readFileSync(new URL("../PITFALLS.md", import.meta.url), "utf8");

  const numbers = [...list.matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number));

  expect(numbers).toEqual(Array.from({ length: 46 }, (_, at) => at + 1));
});

test("every row of the list that concerns the core has a bug", () => {
  const covered = new Set(bugs.flatMap(({ rows }) => rows));

  const missing = Array.from({ length: 46 }, (_, at) => at + 1)
    .filter((row) => !ROWS_OF_OTHERS.includes(row))
    .filter((row) => !covered.has(row));

  expect(missing).toEqual([]);
});

test.each(bugs)("$name fits the sources", ({ patch }) => {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-bug-"));
  try {
    const names = parsePatch(patch).map(({ oldPath }) => basename(oldPath ?? ""));
    for (const name of names) cpSync(join(SOURCES, name), join(folder, name));

    plant(patch, folder);

    for (const name of names)
      expect(readFileSync(join(folder, name), "utf8")).not.toBe(
        readFileSync(join(SOURCES, name), "utf8"),
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
    ["a row that the list does not have", "Title: x\nRow: 47\nExpect: unit\n"],
    ["nothing that should notice", "Title: x\nRow: 7\nExpect: luck\n"],
  ])("%s is refused", (_name, head) => {
    expect(() => plantedBug("07-x.patch", `${head}\n${diff}`)).toThrow(PatchError);
  });
});
