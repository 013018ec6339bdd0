/** One broken build: made in a copy of the project, and run with the faults that expose it. */

import { type Bug, ending, PatchError, plant, runNode, type Workspace } from "@quorumlog/mutants";
import { readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { RunFolderError } from "../run/line-shape.ts";
import { RunFolder } from "../run/run-folder.ts";
import type { RunRecord } from "../run/run-record.ts";
import type { Exposure } from "./broken-builds.ts";

export interface TrialResult {
  /**
   * `anomalies`: clients were told what cannot be true, replicas differ, or a node has ended as an
   * assertion of its own failed, or its disk was not sound: the words say which. `no-trial`:
   * whatever else went wrong.
   */
  readonly outcome: "anomalies" | "nothing" | "no-trial";
  /** What was found; what was said instead. */
  readonly words: string;
  readonly seconds: number;
}

export interface TrialInit {
  /** `undefined`: the build as it is. */
  readonly bug: Bug | undefined;
  readonly exposure: Exposure;
  readonly template: Workspace;
  /** Made, and removed behind it. */
  readonly folder: string;
  readonly seed: number;
}

/** Of a run, between two of its lines. */
const SILENCE_SECONDS = 180;
const KINDS_SHOWN = 3;

export async function tryBuild(init: TrialInit): Promise<TrialResult> {
  const startedAt = performance.now();
  const seconds = (): number => (performance.now() - startedAt) / 1_000;
  try {
    const { outcome, words } = await outcomeOf(init);
    return { outcome, words, seconds: seconds() };
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    return {
      outcome: "no-trial",
      words: `cannot be planted: ${error.message}`,
      seconds: seconds(),
    };
  } finally {
    rmSync(init.folder, { recursive: true, force: true });
  }
}

async function outcomeOf({
  bug,
  exposure,
  template,
  folder,
  seed,
}: TrialInit): Promise<Omit<TrialResult, "seconds">> {
  const workspace = template.copy(folder);
  if (bug !== undefined) {
    const places = plant(bug.patch, folder);
    // What the compiler says of types keeps nothing from running.
    await workspace.build(places.map((place) => `packages/${place}`));
  }
  const { workloads, nemeses, timeLimitS, leaseReads, disk, lazyfs } = exposure;
  const out = join(folder, "out");
  const argv = [
    ["test/jepsen/dist/cli.js", "--workload", workloads.join(","), "--nemesis", nemeses.join(",")],
    ["--time-limit", `${timeLimitS}`, "--seed", `${seed}`, "--out", out],
    disk === undefined ? [] : ["--disk", disk],
    lazyfs === undefined ? [] : ["--lazyfs", resolve(lazyfs)],
    leaseReads === undefined ? [] : ["--lease-reads", leaseReads ? "on" : "off"],
  ].flat();
  const finished = await runNode(argv, { cwd: folder, silenceSeconds: SILENCE_SECONDS });
  const record = recordIn(out);
  if (record === undefined) return { outcome: "no-trial", words: ending(finished) };
  const kinds = record.workloads.flatMap(({ name, anomalies }) =>
    [...new Set(anomalies.map(({ kind }) => kind))].map((kind) => `${name}: ${kind}`),
  );
  if (kinds.length > 0)
    return { outcome: "anomalies", words: kinds.slice(0, KINDS_SHOWN).join(", ") };
  const { summary, reasons, valid } = record.verdict;
  const outcome = valid === true ? "nothing" : "no-trial";
  return { outcome, words: [summary, ...reasons.slice(0, 1)].join(": ") };
}

/** The one that the run has left; `undefined`: it has not come so far. */
function recordIn(out: string): RunRecord | undefined {
  try {
    const [name] = readdirSync(out);
    return name === undefined ? undefined : new RunFolder(join(out, name)).record;
  } catch (error) {
    if (error instanceof RunFolderError || isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}
