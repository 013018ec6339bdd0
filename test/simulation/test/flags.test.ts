// Goal: the command line is understood as it was meant, or refused with the flag that is wrong.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FlagError } from "@quorumlog/std";
import { expect, test } from "vitest";
import { parseRequest } from "../src/flags.ts";
import { LineFile } from "../src/line-file.ts";

test("many seeds, on no more threads than there are seeds", () => {
  expect(parseRequest(["--seeds", "3", "--from=0", "--jobs", "8", "--json"])).toEqual({
    kind: "many",
    from: 0,
    seeds: 3,
    jobs: 3,
    isFailFast: false,
    isJson: true,
  });
  expect(parseRequest(["--seeds", "1000", "--jobs", "999"])).toMatchObject({ jobs: 64 });
});

test("one seed, and what is to be written of it", () => {
  expect(parseRequest(["--seed", "42", "--trace", "out/42.txt"])).toEqual({
    kind: "one",
    seed: 42,
    isJson: false,
    trace: "out/42.txt",
    tla: undefined,
  });
});

test("help wins over all else", () => {
  expect(parseRequest(["--seeds", "0", "--help"])).toEqual({ kind: "help" });
});

test.each([
  [["--seeds", "0"], '--seeds: "0" is not an integer from 1 to 9007199254740991'],
  [["--seeds="], "--seeds wants a value"],
  [["--seeds", "--json"], "--seeds wants a value"],
  [["--seeds", "9007199254740991"], "--seeds: from 1 on there are only 9007199254740990"],
  [["--seeds", "1e3"], '--seeds: "1e3" is not'],
  [["--jobs", "0"], '--jobs: "0" is not an integer from 1'],
  [["--from", " 1"], '--from: " 1" is not an integer from 0'],
  [["--from", "9007199254740000", "--seeds", "992"], "--seeds"],
  [["--seed", "-1"], "--seed"],
  [["--seed=9007199254740992"], "--seed"],
  [["--seed", "1", "--seeds", "2"], "--seeds is about many seeds"],
  [["--seed", "1", "--from", "2"], "--from is about many seeds"],
  [["--seed", "1", "--jobs", "2"], "--jobs is about many seeds"],
  [["--seed", "1", "--fail-fast"], "--fail-fast is about many seeds"],
  [["--trace", "x"], "--trace needs --seed"],
  [["--seed", "1", "--trace", "x", "--tla", "./x"], "--trace and --tla need a file each"],
  [["--seed", "1", "--tla="], "--tla wants a value"],
  [["--bogus"], "there is no flag --bogus"],
  [["7"], '"7" is not a flag'],
])("%j is refused", (argv, complaint) => {
  expect(() => parseRequest(argv)).toThrow(FlagError);
  expect(() => parseRequest(argv)).toThrow(complaint);
});

test("a file is written with its folder, and its errors wait for the end", () => {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-lines-"));
  try {
    const path = join(folder, "a/b/story.txt");
    const file = new LineFile(path);
    for (let line = 0; line < 1_000; line++) file.write(`${line}`);

    expect(file.close()).toBeUndefined();
    expect(readFileSync(path, "utf8").split("\n")).toHaveLength(1_001);

    const below = new LineFile(join(path, "below.txt"));
    below.write("lost");
    expect(below.close()).toMatch(/ENOTDIR/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
