// Goal: a whole number in its range is let pass, and whatever else somebody gives is told.
// Method: values at both bounds and beside them, and one of each type.

import { expect, test } from "vitest";
import { integerProblem, valueInWords } from "../src/index.ts";

const RANGE = { min: 1, max: 10 };

test.each([1, 5, 10])("%d is in the range", (value) => {
  expect(integerProblem(value, RANGE)).toBeUndefined();
});

test.each([
  [0, "0"],
  [11, "11"],
  [2.5, "2.5"],
  [Number.NaN, "NaN"],
  [Number.POSITIVE_INFINITY, "Infinity"],
  ["5", '"5"'],
  [5n, "5"],
  [null, "null"],
  [undefined, "undefined"],
  [true, "true"],
  [[5], "an object"],
  [{ valueOf: () => 5 }, "an object"],
])("%s is not", (value, words) => {
  expect(integerProblem(value, RANGE)).toBe(`${words} is not an integer in [1, 10]`);
});

test("beyond the numbers that are exact, nothing is an integer", () => {
  const range = { min: 0, max: Number.MAX_VALUE };

  expect(integerProblem(Number.MAX_SAFE_INTEGER, range)).toBeUndefined();
  expect(integerProblem(2 ** 53, range)).toContain("9007199254740992 is not an integer in [0, ");
});

test.each([
  [-0.5, "-0.5"],
  ["a\nb", '"a\\nb"'],
  ["x".repeat(1_000), `"${"x".repeat(60)}"`],
  [Symbol("secret"), "a symbol"],
  [() => 5, "a function"],
  [Object.create(null), "an object"],
])("%s is told in a few words", (value, words) => {
  expect(valueInWords(value)).toBe(words);
});
