// Goal: what the command line asks for is what runs, and what makes no sense is said.

import { FlagError } from "@quorumlog/std";
import { expect, test } from "vitest";
import { parseRequest } from "../src/flags.ts";

test("without flags it is the whole run; a short one may be made longer", () => {
  expect(parseRequest([])).toMatchObject({ megabytes: 200, kills: 5, replacements: 1, seed: 1 });
  expect(parseRequest(["--short", "--kills", "3"])).toMatchObject({ megabytes: 8, kills: 3 });
});

test("a flag that is none, or out of its bounds, is refused by its name", () => {
  expect(() => parseRequest(["--megabyte", "1"])).toThrow(FlagError);
  expect(() => parseRequest(["--megabytes", "0"])).toThrow('--megabytes: "0" is not an integer');
  expect(() => parseRequest(["--seed", "-1"])).toThrow(FlagError);
  expect(() => parseRequest(["--seed", "-1", "--kills=x"])).toThrow(
    /--kills: "x".*\n--seed: "-1"/u,
  );
});
