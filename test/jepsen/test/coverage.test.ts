// Goal: a fault that did nothing is seen to have done nothing.

import { expect, test } from "vitest";
import { Coverage, mergedCoverage } from "../src/nemesis/coverage.ts";
import { evidenceWords } from "../src/nemesis/evidence-words.ts";
import type { Fault } from "../src/nemesis/fault.ts";

function named(name: string): Fault {
  return { name, title: name, reach: "nobody", begin: () => Promise.resolve(undefined) };
}

test("a fault has bitten once it was what it is called; its evidence is added up", () => {
  const coverage = new Coverage([named("kill"), named("pause")]);

  coverage.onSkipped("pause");
  coverage.onEnd("kill", { evidence: { killed: 1, leaders: true, how: "a" }, hasBitten: false });
  coverage.onEnd("kill", { evidence: { killed: 2, leaders: false, how: "b" }, hasBitten: true });

  expect(coverage.faults()).toEqual([
    {
      fault: "kill",
      hits: 2,
      bites: 1,
      needed: 1,
      skipped: 0,
      evidence: { killed: 3, leaders: 1, how: "b" },
    },
    { fault: "pause", hits: 0, bites: 0, needed: 1, skipped: 1, evidence: {} },
  ]);
  expect([...coverage.bitten()]).toEqual(["kill"]);
});

test("one that needs more than a bite has bitten with the last of them", () => {
  const coverage = new Coverage([named("membership")], () => 2);
  const bite = { evidence: {}, hasBitten: true };

  coverage.onEnd("membership", bite);
  const first = coverage.bitten().size;
  coverage.onEnd("membership", bite);

  expect([first, coverage.bitten().size]).toEqual([0, 1]);
});

test("what has bitten on one of several clusters has bitten", () => {
  const [here, there] = [new Coverage([named("kill")]), new Coverage([named("kill")])];
  here.onEnd("kill", { evidence: { killed: 1 }, hasBitten: false });
  there.onEnd("kill", { evidence: { killed: 1 }, hasBitten: true });

  expect(mergedCoverage([here.faults(), there.faults()])).toEqual([
    { fault: "kill", hits: 2, bites: 1, needed: 1, skipped: 0, evidence: { killed: 2 } },
  ]);
});

test("evidence reads as words, without what was not", () => {
  const evidence = {
    heldBytes: 12,
    leakedEnds: 0,
    leaders: true,
    replaced: false,
    outcome: "torn",
  };

  expect(evidenceWords(evidence)).toBe("held bytes 12, leaders, outcome torn");
});
