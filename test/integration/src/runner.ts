/** Runs scenarios part by part, and puts together what came of them. */

import { Prng } from "@quorumlog/std";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { PartReport, RunState } from "./run-state.ts";
import { type Form, type Part, PartContext, type PartResult, type Scenario } from "./scenario.ts";

export interface RunnerInit {
  readonly form: Form;
  readonly seed: number;
  readonly only: readonly string[] | undefined;
  readonly directory: string;
  readonly state: RunState;
  readonly print: (line: string) => void;
}

/** What came of a scenario's parts together. */
export interface ScenarioReport {
  readonly name: string;
  readonly parts: number;
  readonly seconds: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
  readonly skipped: readonly string[];
}

const PROGRESS_EVERY_MS = 5_000;

export async function runScenarios(
  scenarios: readonly Scenario[],
  init: RunnerInit,
): Promise<readonly ScenarioReport[]> {
  const { form, only, state, print } = init;
  const reports: ScenarioReport[] = [];
  for (const [number, scenario] of scenarios.entries()) {
    const wanted = scenario.parts(form).filter(({ name }) => isWanted(scenario.name, name, only));
    if (wanted.length === 0) continue;
    print(`${scenario.name}: ${scenario.title}`);
    for (const [i, part] of wanted.entries()) {
      if (state.find(scenario.name, part.name) !== undefined) continue;
      const prng = new Prng(init.seed * 1_000_000 + number * 1_000 + i);
      state.add(await runPart(scenario, part, { ...init, prng }));
    }
    const report = together(
      scenario.name,
      state.reports.filter((done) => done.scenario === scenario.name),
    );
    reports.push(report);
    print(describeScenario(report));
  }
  return reports;
}

/** One part, with everything put away at its end. */
export async function runPart(
  scenario: Scenario,
  part: Part,
  init: Pick<RunnerInit, "form" | "directory" | "print"> & { readonly prng: Prng },
): Promise<PartReport> {
  const { form, print, prng } = init;
  const startedAt = performance.now();
  const directory = join(init.directory, `${scenario.name}-${part.name.replaceAll(/\W+/gu, "-")}`);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  let saidAt = startedAt;
  const context = new PartContext({
    prng,
    directory,
    form,
    progress: (text) => {
      if (performance.now() - saidAt < PROGRESS_EVERY_MS) return;
      saidAt = performance.now();
      print(`  ${part.name}: ${text}`);
    },
  });
  let result: PartResult;
  try {
    result = await part.run(context);
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    result = { counts: context.counts, problems: [...context.problems, text] };
  }
  const problems = [...result.problems];
  try {
    await context.dispose();
    rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    problems.push(`put away: ${String(error)}`);
  }
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  const report = { ...result, problems, scenario: scenario.name, part: part.name, seconds };
  print(`  ${part.name}: ${seconds} s${describeOutcome(report)}`);
  return report;
}

function describeOutcome({ problems, skipped }: PartResult): string {
  if (skipped !== undefined) return `, skipped: ${skipped}`;
  return problems.map((problem) => `\n    PROBLEM ${problem}`).join("");
}

function isWanted(scenario: string, part: string, only: readonly string[] | undefined): boolean {
  return (
    only === undefined || only.some((name) => [scenario, `${scenario}/${part}`].includes(name))
  );
}

function together(name: string, parts: readonly PartReport[]): ScenarioReport {
  const counts: Record<string, number> = {};
  for (const part of parts)
    for (const [key, value] of Object.entries(part.counts)) {
      const former = counts[key] ?? 0;
      counts[key] = key.endsWith("Max") ? Math.max(former, value) : former + value;
    }
  return {
    name,
    parts: parts.length,
    seconds: Math.round(parts.reduce((sum, { seconds }) => sum + seconds, 0) * 10) / 10,
    counts,
    problems: parts.flatMap(({ part, problems }) => problems.map((text) => `${part}: ${text}`)),
    skipped: parts.flatMap(({ skipped }) => (skipped === undefined ? [] : [skipped])),
  };
}

function describeScenario({ name, seconds, counts, problems, skipped }: ScenarioReport): string {
  const figures = Object.entries(counts).map(([key, value]) => `${key} ${value}`);
  const verdict = problems.length === 0 ? "ok" : `${problems.length} problems`;
  const left = skipped.length === 0 ? "" : `, ${skipped.length} skipped`;
  return `${name}: ${verdict}${left} in ${seconds} s: ${figures.join(", ")}`;
}
