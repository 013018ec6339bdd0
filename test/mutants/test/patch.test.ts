// Goal: any unified diff that tools write can be planted, where lines have moved, too; and one that
// does not fit is refused in words, never half applied in silence.
// Method: small texts, patched by hand-written diffs.
import { describe, expect, test } from "vitest";
import { applyHunks } from "../src/apply-hunks.ts";
import { parsePatch, PatchError } from "../src/patch.ts";

const TEXT = numbered(1, 20);

const DIFF = `some words before

diff --git a/packages/raft/src/x.ts b/packages/raft/src/x.ts
index 1234567..89abcde 100644
--- a/packages/raft/src/x.ts\t2026-01-01 00:00:00
+++ b/packages/raft/src/x.ts
@@ -8,7 +8,7 @@ function context(): void {
 line 8
 line 9
 line 10
-line 11
+line eleven
 line 12
 line 13
 line 14
`;

describe("reading", () => {
  test("paths, positions and lines are found, and all else is skipped", () => {
    const [file, ...others] = parsePatch(DIFF);

    expect(others).toEqual([]);
    expect(file).toMatchObject({
      oldPath: "a/packages/raft/src/x.ts",
      newPath: "b/packages/raft/src/x.ts",
      hunks: [{ oldStart: 8 }],
    });
    expect(file?.hunks[0]?.lines.filter(({ kind }) => kind !== "context")).toEqual([
      { kind: "removed", text: "line 11" },
      { kind: "added", text: "line eleven" },
    ]);
  });

  test("several files, new ones and removed ones", () => {
    const files = parsePatch(
      "--- /dev/null\n+++ b/new.ts\n@@ -0,0 +1,2 @@\n+one\n+two\n" +
        "--- a/old.ts\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n",
    );

    expect(files.map(({ oldPath, newPath }) => [oldPath, newPath])).toEqual([
      [undefined, "b/new.ts"],
      ["a/old.ts", undefined],
    ]);
  });

  test("line ends of Windows, and empty context that lost its blank", () => {
    const [file] = parsePatch("--- x\r\n+++ x\r\n@@ -1,3 +1,3 @@\r\n a\r\n\r\n-b\r\n+c\r\n");

    expect(file?.hunks[0]?.lines).toEqual([
      { kind: "context", text: "a" },
      { kind: "context", text: "" },
      { kind: "removed", text: "b" },
      { kind: "added", text: "c" },
    ]);
  });

  test.each([
    ["nothing at all", ""],
    ["prose", "fix everything\n"],
    ["a hunk that is cut short", "--- x\n+++ x\n@@ -1,3 +1,3 @@\n a\n-b"],
    ["a header alone", "--- x\n+++ x\n"],
    ["a binary file", "diff --git a/x b/x\nBinary files a/x and b/x differ\n"],
  ])("%s is refused", (_name, text) => {
    expect(() => parsePatch(text)).toThrow(PatchError);
  });
});

describe("applying", () => {
  const hunks = parsePatch(DIFF)[0]?.hunks ?? [];

  test("where it says", () => {
    expect(applyHunks(TEXT, hunks)).toBe(TEXT.replace("line 11\n", "line eleven\n"));
  });

  test.each([
    ["further down", `${"new\n".repeat(30)}${TEXT}`],
    ["further up", numbered(5, 20)],
    ["with the outer context changed", TEXT.replace("line 8\n", "line eight\n")],
    ["with two lines of context changed", TEXT.replace("line 13\nline 14\n", "13\n14\n")],
    ["at the very end", numbered(1, 14)],
  ])("%s", (_name, text) => {
    expect(applyHunks(text, hunks)).toBe(text.replace("line 11\n", "line eleven\n"));
  });

  test.each([
    ["a line that is to go has changed", TEXT.replace("line 11\n", "line XI\n")],
    ["the context beside it has changed", TEXT.replace("line 10\n", "line ten\n")],
    ["the place is gone", numbered(1, 9)],
    ["the file is empty", ""],
  ])("not where %s", (_name, text) => {
    expect(() => applyHunks(text, hunks)).toThrow(PatchError);
  });

  test("the nearest of several places is meant", () => {
    const block = "a\nb\nc\n";
    const text = `${block}1\n2\n3\n4\n5\n6\n${block}`;
    const [file] = parsePatch("--- x\n+++ x\n@@ -9,3 +9,3 @@\n a\n-b\n+B\n c\n");

    expect(applyHunks(text, file?.hunks ?? [])).toBe(`${block}1\n2\n3\n4\n5\n6\na\nB\nc\n`);
  });

  test("a hunk is looked for where those before it have moved the rest", () => {
    const diff =
      "--- x\n+++ x\n@@ -1,2 +1,4 @@\n line 1\n+a\n+b\n line 2\n" +
      "@@ -18,3 +20,2 @@\n line 18\n-line 19\n line 20\n";

    expect(applyHunks(TEXT, parsePatch(diff)[0]?.hunks ?? [])).toBe(
      TEXT.replace("line 1\n", "line 1\na\nb\n").replace("line 19\n", ""),
    );
  });

  test("lines that are only added make a new file, and stand nowhere else", () => {
    const added = parsePatch("--- /dev/null\n+++ x\n@@ -0,0 +1,2 @@\n+a\n+b\n")[0]?.hunks ?? [];

    expect(applyHunks("", added)).toBe("a\nb\n");
    expect(() => applyHunks(TEXT, added)).toThrow(PatchError);
  });

  test("an insertion without context is refused in words: its place may have moved", () => {
    const [file] = parsePatch("--- x\n+++ x\n@@ -10,0 +11 @@\n+new\n");

    expect(() => applyHunks(TEXT, file?.hunks ?? [])).toThrow(/needs lines of context/);
  });
});

function numbered(from: number, to: number): string {
  return Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}\n`).join("");
}
