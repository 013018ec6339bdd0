// Goal: the command says what it did in words and numbers that add up, and refuses nonsense.
// Method: everything but the trials themselves, which take minutes.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Bug } from "../src/bug.ts";
import { runMutants } from "../src/mutants.ts";
import { failureJson, progressLine, reportJson, reportLines } from "../src/report.ts";
import { readSeedReport } from "../src/seed-driver.ts";
import type { Outcome } from "../src/trial.ts";

const THIS_FILE = fileURLToPath(import.meta.url);

const BUG: Bug = { name: "07-x", title: "X", rows: [7, 25], expected: "simulator", patch: "" };

const CAUGHT: Outcome = {
  bug: BUG,
  verdict: "caught",
  stage: "simulator",
  detail: "Election Safety",
  seedsNeeded: 3,
  seconds: 1.25,
};
const LATE: Outcome = { ...CAUGHT, stage: "unit", detail: "x.test", seedsNeeded: undefined };
const SURVIVED: Outcome = { ...LATE, verdict: "survived", stage: undefined, detail: "" };
const BROKEN: Outcome = { ...SURVIVED, verdict: "broken", detail: "does not apply: refresh it" };

test("the table has a line for each bug, and the sums follow", () => {
  const lines = reportLines([CAUGHT, LATE, SURVIVED, BROKEN], 61);

  expect(lines.join("\n")).toMatchInlineSnapshot(`
    "bug   row    caught by                 seeds needed  check            seconds
    ----  -----  ------------------------  ------------  ---------------  -------
    07-x  7, 25  simulator                 3             Election Safety  1.3
    07-x  7, 25  unit (not the simulator)                x.test           1.3
    07-x  7, 25  SURVIVED                                                 1.3
    07-x  7, 25  BROKEN                                                   1.3

    07-x: does not apply: refresh it

    4 bugs in 61 s, 2 caught
    caught by a simulator alone: 1 of 4"
  `);
});

test("a line of progress says who noticed what", () => {
  expect(progressLine(CAUGHT, { done: 3, all: 12 })).toBe(
    "[ 3/12] 07-x: simulator: Election Safety (1.3 s)",
  );
  expect(progressLine(SURVIVED, { done: 12, all: 12 })).toBe("[12/12] 07-x: SURVIVED (1.3 s)");
});

test("the JSON document says the same", () => {
  expect(JSON.parse(reportJson([CAUGHT, SURVIVED], 2))).toMatchObject({
    passed: 1,
    failed: 1,
    bySimulator: 1,
    bugs: [{ name: "07-x", seedsNeeded: 3 }, { verdict: "survived" }],
  });
});

test("the seed is known of a simulator that failed, hung or died", () => {
  const started = '{"seed":1}\n{"seed":2}\n';

  expect(readSeedReport(`${started}{"seed":2,"invariant":"Log Matching"}\n`)).toEqual({
    seed: 2,
    invariant: "Log Matching",
  });
  expect(readSeedReport(started)).toEqual({ seed: 2, invariant: undefined });
  expect(readSeedReport("")).toEqual({ seed: undefined, invariant: undefined });
});

test.each([
  [["--bugs"], "there is no flag --bugs"],
  [["--only", "no such bug"], "no bug has such a name"],
  [["--shard", "88/100", "--only", "quorum"], "--shard: 88/100 leaves no bug"],
  [["--patch", "/no/such/file.diff"], "/no/such/file.diff: there is no such file"],
  [["--patch", "/"], "/: it is a folder, not a patch"],
  [["--patch", THIS_FILE], `${THIS_FILE}: it is not a unified diff, or changes nothing`],
])("%s is refused", async (argv, complaint) => {
  const { code, complaints } = await run(argv);

  expect(code).toBe(2);
  expect(complaints).toEqual([complaint, "--help tells what there is"]);
});

test("the bugs can be listed without a trial", async () => {
  const { code, lines } = await run(["--list", "--only", "quorum-even-cluster"]);

  expect(code).toBe(0);
  expect(lines.join("\n")).toContain("Half of an even group passes for a majority");
});

test("as one document, too", async () => {
  const { lines } = await run(["--list", "--json", "--only", "quorum-even-cluster"]);

  expect(JSON.parse(lines.join("\n"))).toMatchObject({
    bugs: [{ name: "02-quorum-even-cluster", expected: "simulator" }],
  });
});

test("a run without a trial is a document, too", () => {
  expect(JSON.parse(failureJson([BUG], "it does not build"))).toMatchObject({
    passed: 0,
    failed: 1,
    error: "it does not build",
    bugs: [{ name: "07-x" }],
  });
});

async function run(
  argv: readonly string[],
): Promise<{ code: number; lines: string[]; complaints: string[] }> {
  const lines: string[] = [];
  const complaints: string[] = [];
  const code = await runMutants(argv, {
    print: (line) => lines.push(line),
    complain: (line) => complaints.push(line),
  });
  return { code, lines, complaints };
}
