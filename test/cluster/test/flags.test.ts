// Goal: a wrong command line is refused by name, and never runs something else.
// Method: parse argument lists.
import { FlagError } from "@quorumlog/std";
import { expect, test } from "vitest";
import { parseRequest } from "../src/flags.ts";

test("two hundred seeds from 1 on, unless something else is asked for", () => {
  expect(parseRequest([])).toMatchObject({ kind: "many", from: 1, seeds: 200 });
  expect(parseRequest(["--seeds", "1", "--jobs", "4"])).toMatchObject({ seeds: 1, jobs: 1 });
  expect(parseRequest(["--seed", "9", "--trace"])).toMatchObject({ kind: "one", hasTrace: true });
});

test.each([
  [["--seed", "1", "--seeds", "2"], "--seeds"],
  [["--trace"], "--trace"],
  [["--jobs", "0"], "--jobs"],
  [["--seed", "x"], "--seed"],
  [["--what"], "--what"],
])("%j is refused", (argv, flag) => {
  expect(() => parseRequest(argv)).toThrow(FlagError);
  expect(() => parseRequest(argv)).toThrow(flag);
});
