// Goal: a test that is skipped unexpectedly fails the run that skipped it.

import { expect, test } from "vitest";
import { unexpectedSkips } from "./skipped-tests.ts";

test("more of a file than expected, or any of another file, are told of", () => {
  const expected = new Map([["a.test.ts", { count: 2, without: "a disk" }]]);

  const none = unexpectedSkips(new Map([["a.test.ts", 2]]), expected);
  const some = unexpectedSkips(
    new Map([
      ["a.test.ts", 3],
      ["b.test.ts", 1],
    ]),
    expected,
  );

  expect(none).toEqual([]);
  expect(some.map((line) => line.split(" ", 2))).toEqual([
    ["a.test.ts:", "3"],
    ["b.test.ts:", "1"],
  ]);
});
