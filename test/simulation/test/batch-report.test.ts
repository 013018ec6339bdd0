// Goal: the report of a batch does not depend on who finishes first, and its last line is true.
import { expect, test } from "vitest";
import { differenceOf } from "../src/one-seed.ts";
import {
  BatchReport,
  describeFailure,
  describeSeed,
  describeSummary,
} from "../src/run/batch-report.ts";
import { RARE_PATH_SEED_COUNT, RARE_PATHS } from "../src/run/rare-paths.ts";
import type { SeedFailure, SeedResult } from "../src/run/seed-run.ts";

const FAILURE: SeedFailure = {
  invariant: "Log Matching",
  detail: "two entries",
  nodes: [1, 2],
  virtualSeconds: 12.5,
  stack: undefined,
};
const LOSS: SeedFailure = { ...FAILURE, invariant: "hang", detail: "no result", nodes: [] };
const ALL_PATHS = Object.fromEntries(RARE_PATHS.map((path) => [path, 1]));

test("the order of the results does not matter", () => {
  const results = Array.from({ length: 50 }, (_, at) =>
    resultOf(at + 1, {
      // Sums of such numbers depend on their order.
      virtualSeconds: 60 + (at * 1_234_567) / 1_000_000,
      faults: { [`fault${at % 7}`]: at },
      failure: at % 9 === 0 ? FAILURE : undefined,
    }),
  );

  const texts = [results, [...results].reverse()].map((order) => {
    const report = reportOf(order);
    report.addFailure(99, LOSS);
    return JSON.stringify(report.summary({ realSeconds: 1, asked: 51 }));
  });

  expect(texts[1]).toBe(texts[0]);
});

test("a batch passes if every seed has run and nothing is wrong", () => {
  const summary = reportOf([resultOf(1), resultOf(2)]).summary({ realSeconds: 1, asked: 2 });

  expect(summary).toMatchObject({ isFailure: false, verdict: "PASSED: 2 seeds, no violation" });
  expect(describeSummary(summary).split("\n").at(-1)).toBe("PASSED: 2 seeds, no violation");
});

test("seeds without a result count as run, and as failed", () => {
  const report = reportOf([resultOf(1, { failure: FAILURE }), resultOf(2)]);
  report.addFailure(3, LOSS);
  const summary = report.summary({ realSeconds: 1, asked: 3 });

  expect(summary).toMatchObject({ isFailure: true, seeds: 3, violations: 2 });
  expect(summary.means.operations).toBe(500);
  expect(summary.verdict).toBe("FAILED: 2 violations, seeds 1, 3");
  expect(summary.failures.map(describeFailure)).toEqual([
    'VIOLATION of "Log Matching"\n  seed 1, virtual time 12.500000 s, nodes 1 2\n' +
      "  two entries\n  replay: npm run sim -- --seed 1",
    "NO RESULT: hang\n  seed 3, virtual time 12.500000 s, nodes -\n" +
      "  no result\n  replay: npm run sim -- --seed 3",
  ]);
});

test("a seed that nobody heard of again fails the batch", () => {
  const { isFailure, verdict } = reportOf([resultOf(1)]).summary({ realSeconds: 1, asked: 2 });

  expect(isFailure).toBe(true);
  expect(verdict).toBe("FAILED: 1 of 2 seeds were run");
});

test("enough seeds that miss a rare path fail, and the last line says which", () => {
  const marks = { ...ALL_PATHS, "bit rot": 0 };
  const results = Array.from({ length: RARE_PATH_SEED_COUNT }, (_, at) =>
    resultOf(at + 1, { marks }),
  );

  const summary = reportOf(results).summary({ realSeconds: 1, asked: results.length });

  expect(summary).toMatchObject({ isFailure: true, violations: 0, missingPaths: ["bit rot"] });
  expect(describeSummary(summary).split("\n").at(-1)).toBe(
    "FAILED: rare paths never taken: bit rot",
  );
  expect(reportOf(results.slice(1)).summary({ realSeconds: 1 }).isFailure).toBe(false);
});

test("of one seed only what it did is told", () => {
  const summary = reportOf([
    resultOf(1, { marks: { "bit rot": 3 }, faults: { bitRot: 1, crash: 0 } }),
  ]).summary({ realSeconds: 1 });

  const [, path, faults, , ...last] = describeSeed(summary).split("\n");

  expect(path).toBe("            3  bit rot");
  expect(faults).toBe("faults: bitRot 1");
  expect(last).toEqual([
    "seconds: 1.0",
    "violations: 0",
    "PASSED: no violation, and twice the same run",
  ]);
});

test("two runs of a seed that differ are a failure", () => {
  const one = resultOf(1);

  expect(differenceOf(one, { ...one })).toBeUndefined();
  expect(differenceOf(one, { ...one, hash: "00000000000000ff" })).toMatchObject({
    invariant: "determinism",
    detail:
      "two runs of the seed differ: hash 0000000100000002 (no violation), " +
      "then 00000000000000ff (no violation)",
  });
  expect(differenceOf(one, { ...one, failure: FAILURE })?.detail).toMatch(/Log Matching/);
});

function reportOf(results: readonly SeedResult[]): BatchReport {
  const report = new BatchReport();
  for (const result of results) report.add(result);
  return report;
}

function resultOf(seed: number, change: Partial<SeedResult> = {}): SeedResult {
  return {
    seed,
    hash: "0000000100000002",
    failure: undefined,
    steps: 10,
    virtualSeconds: 60,
    operations: { invoked: 503, acknowledged: 500, reads: 100, ambiguous: 1, refused: 2 },
    faults: {},
    faultCount: 5,
    elections: 1,
    committed: 400,
    marks: {},
    ...change,
  };
}
