// Goal: a mark costs nothing until somebody listens, and is heard by that listener alone.
// Method: install, replace and remove a recorder.

import { afterEach, expect, test } from "vitest";
import { recordSometimes, sometimes } from "../src/index.ts";

afterEach(() => {
  recordSometimes(undefined);
});

test("without a recorder a mark does nothing", () => {
  expect(() => sometimes("nobody listens")).not.toThrow();
});

test("a recorder hears every mark, in order", () => {
  const heard: string[] = [];
  recordSometimes((name) => heard.push(name));
  sometimes("a");
  sometimes("b");
  sometimes("a");
  expect(heard).toEqual(["a", "b", "a"]);
});

test("a recorder replaces the one before, which is returned", () => {
  const [first, second]: [string[], string[]] = [[], []];
  const before = (name: string): unknown => first.push(name);
  recordSometimes(before);
  expect(recordSometimes((name) => second.push(name))).toBe(before);
  sometimes("x");
  expect([first, second]).toEqual([[], ["x"]]);
});

test("after removal nothing is heard", () => {
  const heard: string[] = [];
  recordSometimes((name) => heard.push(name));
  recordSometimes(undefined);
  sometimes("x");
  expect(heard).toEqual([]);
});
