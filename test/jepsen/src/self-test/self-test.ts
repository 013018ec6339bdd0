/**
 * Tests the suite: each of the builds that are broken on purpose has to be found, and the build as
 * it is has to pass with the same faults.
 */

import { type Bug, makeParentFolder, Workspace } from "@quorumlog/mutants";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type BrokenBuild, brokenBuilds, type Exposure } from "./broken-builds.ts";
import { type TrialResult, tryBuild } from "./build-trial.ts";

export interface SelfTestOptions {
  /** Only builds whose names contain it. */
  readonly only: string | undefined;
  readonly seed: number;
  /** Builds that are tried at the same time. */
  readonly jobs: number;
  readonly print: (line: string) => void;
}

/** What is run, beside what every planted bug is tried with. */
const PACKAGES = [
  "packages/cli",
  "examples/kv",
  "test/integration",
  "test/e2e",
  "test/jepsen",
] as const;

/** What happens when is not drawn from the seed: a build that was not found is tried again. */
const ATTEMPTS = 3;

const CONTROL = "as it is";

/** @returns whether each broken build was found, and the other one passed. */
export async function runSelfTest(options: SelfTestOptions): Promise<boolean> {
  const { only, print } = options;
  const builds = brokenBuilds().filter(({ bug }) => bug.name.includes(only ?? ""));
  print(`${builds.length} broken builds, and the build as it is: it is made first`);
  let failed = 0;
  await withTemplate(async (workspaceOf, template) => {
    const trials: Trial[] = [...controlsOf(builds), ...builds];
    let next = 0;
    let done = 0;
    const work = async (): Promise<void> => {
      for (let at = next++; at < trials.length; at = next++) {
        const trial = trials[at] as Trial;
        const result = await tryOften(trial, { ...options, template, folder: workspaceOf(at) });
        const isRight = result.outcome === (trial.bug === undefined ? "nothing" : "anomalies");
        if (!isRight) failed += 1;
        done += 1;
        print(`[${done}/${trials.length}] ${lineOf(trial, result, isRight)}`);
      }
    };
    await Promise.all(Array.from({ length: options.jobs }, work));
    print(`${trials.length - failed} passed, ${failed} failed`);
  });
  return failed === 0;
}

/** `--broken`: somebody's own patch, with the faults that are asked for. */
export async function runBroken(
  bug: Bug,
  exposure: Exposure,
  options: Pick<SelfTestOptions, "print" | "seed">,
): Promise<boolean> {
  let isFound = false;
  await withTemplate(async (workspaceOf, template) => {
    const { seed, print } = options;
    const result = await tryBuild({ bug, exposure, template, seed, folder: workspaceOf(0) });
    isFound = result.outcome === "anomalies";
    print(lineOf({ bug, exposure }, result, isFound));
  });
  return isFound;
}

interface Trial {
  readonly bug: Bug | undefined;
  readonly exposure: Exposure;
}

interface TrialPlace extends SelfTestOptions {
  readonly template: Workspace;
  readonly folder: string;
}

async function withTemplate(
  use: (workspaceOf: (number: number) => string, template: Workspace) => Promise<void>,
): Promise<void> {
  const parent = makeParentFolder();
  const clean = (): void => {
    rmSync(parent, { recursive: true, force: true });
  };
  process.once("exit", clean);
  try {
    await use(
      (number) => join(parent, `build-${number}`),
      await Workspace.template(parent, PACKAGES),
    );
  } finally {
    process.off("exit", clean);
    clean();
  }
}

/** For each workload, with leases and without, the build as it is with all faults met there. */
function controlsOf(builds: readonly BrokenBuild[]): Trial[] {
  const exposures = new Map<string, Exposure>();
  for (const { exposure } of builds) {
    const cluster = `${exposure.workloads.join(",")} ${exposure.leaseReads}`;
    const nemeses = [...(exposures.get(cluster)?.nemeses ?? []), ...exposure.nemeses];
    exposures.set(cluster, { ...exposure, nemeses: [...new Set(nemeses)] });
  }
  return [...exposures.values()].map((exposure) => ({ bug: undefined, exposure }));
}

async function tryOften(trial: Trial, place: TrialPlace): Promise<TrialResult> {
  const { template, folder, seed } = place;
  let result: TrialResult | undefined;
  let seconds = 0;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    result = await tryBuild({ ...trial, template, folder, seed: seed + attempt });
    seconds += result.seconds;
    // The build as it is has one chance to show an anomaly, and none to hide it.
    if (trial.bug === undefined ? result.outcome !== "no-trial" : result.outcome === "anomalies")
      break;
  }
  return { ...(result as TrialResult), seconds };
}

function lineOf({ bug, exposure }: Trial, result: TrialResult, isRight: boolean): string {
  const { workloads, nemeses } = exposure;
  const word = isRight ? (bug === undefined ? "passes" : "found") : "NOT AS IT SHOULD BE";
  const leases = exposure.leaseReads === true ? ", reads by lease" : "";
  const cell = `${workloads.join(",")} with ${nemeses.join(",")}${leases}`;
  const time = `${result.seconds.toFixed(0)} s`;
  return `${bug?.name ?? CONTROL}: ${word}, ${cell}: ${result.words} (${time})`;
}
