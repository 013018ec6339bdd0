// Goal: the scenarios run, and so do the processes they are made of; what they find in their full
// form is for `npm run test:integration`.

import { FlagError } from "@quorumlog/std";
import { Prng } from "@quorumlog/std";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parseRequest } from "../src/flags.ts";
import { RunState } from "../src/run-state.ts";
import { runPart } from "../src/runner.ts";
import type { Part, Scenario } from "../src/scenario.ts";
import { membership } from "../src/scenarios/membership.ts";
import { powerLoss } from "../src/scenarios/power-loss.ts";

function directoryForTest(): string {
  const directory = mkdtempSync(join(tmpdir(), "quorumlog-integration-"));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

test.each([
  [powerLoss.name, powerLoss],
  [membership.name, membership],
])(
  "%s",
  async (_name, scenario: Scenario) => {
    const directory = directoryForTest();
    const part = scenario.parts("short")[0] as Part;
    const lines: string[] = [];
    const print = (line: string): void => void lines.push(line);

    const report = await runPart(scenario, part, {
      form: "short",
      directory,
      print,
      prng: new Prng(1),
    });

    expect(report.problems).toEqual([]);
    expect(report.counts["lost"]).toBe(0);
    expect(report.counts["acknowledged"]).toBeGreaterThan(20);
    expect(readdirSync(directory)).toEqual([]);
  },
  60_000,
);

test("a run that was cut goes on behind what it has done", () => {
  const directory = directoryForTest();
  const identity = { form: "short", seed: 1 } as const;
  const state = new RunState(directory, identity);
  const report = { scenario: "s", part: "p", seconds: 1, counts: { kills: 3 }, problems: [] };
  state.add(report);

  const again = new RunState(directory, identity);
  again.resume();
  const other = new RunState(directory, { form: "short", seed: 2 });

  expect(again.find("s", "p")).toEqual(report);
  expect(again.find("s", "q")).toBeUndefined();
  expect(() => {
    other.resume();
  }).toThrow(/seed 1/u);
});

test("flags that make no sense are refused, by name", () => {
  const names = ["kills"];

  expect(parseRequest(["--only", "kills/1", "--seed", "3"], names)).toMatchObject({
    only: ["kills/1"],
    seed: 3,
    form: "full",
  });
  for (const argv of [["--only", "x"], ["--seed", "x"], ["--resume"], ["--what"]])
    expect(() => parseRequest(argv, names)).toThrow(FlagError);
});
