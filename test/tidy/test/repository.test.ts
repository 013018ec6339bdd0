// Goal: the tidy rules see code where there is code, and nowhere else.
// Method: small texts in which a comment, string or pattern pretends to be something else.
import { expect, test } from "vitest";
import { importsOf, occurrences, only } from "./repository.ts";

test("comments, strings and patterns are blanked without moving a line", () => {
  const lines = ['a(); // "Date', "/* Date", "*/ b('Date', `x", 'Date`, /"Date/);', "Date;"];

  const code = only(lines.join("\n"), "code");

  expect(code.split("\n")).toHaveLength(5);
  expect(occurrences("x.ts", code, /\bDate\b/g)).toEqual(["x.ts:5: Date"]);
});

test("a division is not the start of a pattern", () => {
  expect(only("const half = a / 2; const b = Date / c;", "code")).toContain("Date");
});

test("imports are found in every form, and not in comments", () => {
  const text = [
    'import "./a.ts";',
    'import type { B } from "./b.ts";',
    'export { c } from "./c.ts";',
    'const d = import("./d.ts");',
    '// import "./e.ts";',
  ].join("\n");

  expect(importsOf(text).map(({ specifier }) => specifier)).toEqual([
    "./a.ts",
    "./b.ts",
    "./c.ts",
    "./d.ts",
  ]);
});
