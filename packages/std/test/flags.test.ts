// Goal: flags are read as the table says, and everything that is wrong is told at once.
// Method: parse argument lists.
import { expect, test } from "vitest";
import { exitCodeOf, FlagError, readFlags, refuseFlags } from "../src/index.ts";

const FLAGS = {
  seeds: { type: "integer", min: 1, max: 100, fallback: 7 },
  share: { type: "number", min: 0.01, max: 1 },
  only: { type: "texts" },
  mode: { type: "text", oneOf: ["fast", "slow"] },
  file: { type: "text" },
  json: { type: "switch" },
} as const;

test("nothing said: fallbacks, and nothing where there is none", () => {
  const { flags, given, problems } = readFlags(FLAGS, []);

  expect(flags).toEqual({
    seeds: 7,
    share: undefined,
    only: [],
    mode: undefined,
    file: undefined,
    json: false,
  });
  expect([...given]).toEqual([]);
  expect(problems).toEqual([]);
});

test("values stand behind a flag or in it; texts add up, others are overruled", () => {
  const argv = ["--seeds", "1", "--seeds=2", "--only=a", "--only", "b", "--share", "0.5", "--json"];
  const { flags, given } = readFlags(FLAGS, [...argv, "--mode=slow", "--file=a=b"]);

  expect(flags).toEqual({
    seeds: 2,
    share: 0.5,
    only: ["a", "b"],
    mode: "slow",
    file: "a=b",
    json: true,
  });
  expect(given).toContain("seeds");
});

test("everything that is wrong is told at once, by its name", () => {
  const argv = ["--seeds=0", "--share", "1e-1", "--mode", "odd", "--json=yes", "--sedes", "x"];
  const { flags, problems } = readFlags(FLAGS, [...argv, "--only=", "--file"]);

  expect(problems).toEqual([
    "there is no flag --sedes",
    '"x" is not a flag',
    '--seeds: "0" is not an integer from 1 to 100',
    '--share: "1e-1" is not a number from 0.01 to 1',
    "--only wants a value",
    '--mode: "odd" is none of fast, slow',
    "--file wants a value",
    "--json takes no value",
  ]);
  expect(flags.seeds).toBe(7);
});

test.each(["-1", "1.0", "", " 1", "0x1", "101", "99999999999999999999"])(
  "%j is no number of seeds",
  (text) => {
    expect(readFlags(FLAGS, ["--seeds", text]).problems).toHaveLength(1);
  },
);

test("names that every object has are no flags", () => {
  const argv = ["--constructor", "--__proto__=1", "-j", "--"];

  expect(readFlags(FLAGS, argv).problems).toHaveLength(4);
});

test("words are what was asked for, and no more", () => {
  const { words, problems } = readFlags(FLAGS, ["dump", "--json", "dir", "more"], 2);

  expect(words).toEqual(["dump", "dir"]);
  expect(problems).toEqual(['"more" is not a flag']);
});

function refuse(): number {
  refuseFlags([]);
  refuseFlags(["--a is wrong", "--b is wrong"]);
  return 0;
}

test("a command with wrong flags ends with 2, and says all of them", async () => {
  const told: string[] = [];
  const complain = (line: string): void => {
    told.push(line);
  };

  expect(await exitCodeOf(refuse, complain)).toBe(2);
  expect(told).toEqual(["--a is wrong", "--b is wrong", "--help tells what there is"]);
  expect(await exitCodeOf(() => 1, complain)).toBe(1);
  await expect(exitCodeOf(() => Promise.reject(new Error("bug")), complain)).rejects.toThrow("bug");
  expect(refuse).toThrow(FlagError);
});
