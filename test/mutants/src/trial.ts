/**
 * One bug's trial: plant it, build, and ask the simulator, the scenarios and the unit tests in turn
 * until one notices.
 *
 * Whatever notices is asked again with no bug planted, and must then be content: else a test that
 * fails anyway, or a slow machine, would pass for a good detective. What may have had a reason
 * outside of the trial has to happen twice.
 */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { required } from "@quorumlog/std";
import type { Bug, StageName } from "./bug.ts";
import { PatchError } from "./patch.ts";
import { type Place, simulatorsFor, type SimulatorName } from "./place.ts";
import { plant } from "./plant.ts";
import { type Finding, replayScenarios, runUnitTests, type SeedRange, simulate } from "./stage.ts";
import type { Workspace } from "./workspace.ts";

export interface Outcome {
  readonly bug: Bug;
  /** `broken`: there was no trial, because the bug could not be planted or the control failed. */
  readonly verdict: "caught" | "survived" | "broken";
  readonly stage: StageName | undefined;
  /** The check that noticed; why there was no trial; or what the compiler said. */
  readonly detail: string;
  readonly seedsNeeded: number | undefined;
  readonly seconds: number;
}

export interface TrialOptions {
  readonly firstSeed: number;
  readonly seeds: Readonly<Record<SimulatorName, SeedRange>>;
  /** Processes that share the seeds of one bug. */
  readonly simulators: number;
  /** Leave the scenarios and unit tests out. */
  readonly isSimulatorOnly: boolean;
  /** Do not remove the copies. */
  readonly keepsCopies: boolean;
}

/** Ranges of seeds grow by this factor: early ones start soon, late ones start few processes. */
const GROWTH = 3;
const FIRST_RANGE = 8;
const UNLIKELY_SEED_COUNT = 32;

export class Laboratory {
  readonly #parent: string;
  readonly #template: Workspace;
  readonly #options: TrialOptions;
  /** What the stages say without a bug, by what they were asked. */
  readonly #controls = new Map<string, Promise<Finding | undefined>>();
  #copies = 0;

  constructor(init: { parent: string; template: Workspace; options: TrialOptions }) {
    this.#parent = init.parent;
    this.#template = init.template;
    this.#options = init.options;
  }

  async try(bug: Bug): Promise<Outcome> {
    const startedAt = process.hrtime.bigint();
    const result = await this.#tryInCopy(bug).catch((error: unknown) =>
      // Of this trial only: a disk that is full, say, must not lose what others have found.
      broken(`there was no trial: ${error instanceof Error ? error.message : String(error)}`),
    );
    return { ...result, bug, seconds: Number(process.hrtime.bigint() - startedAt) / 1e9 };
  }

  async #tryInCopy(bug: Bug): Promise<Result> {
    this.#copies += 1;
    const folder = join(this.#parent, `${this.#copies}-${bug.name}`);
    try {
      return await this.#tryIn(this.#template.copy(folder), bug);
    } finally {
      // As far as it was made.
      if (!this.#options.keepsCopies) rmSync(folder, { recursive: true, force: true });
    }
  }

  async #tryIn(workspace: Workspace, bug: Bug): Promise<Result> {
    let places: readonly Place[];
    try {
      places = plant(bug.patch, workspace.folder);
    } catch (error) {
      if (!(error instanceof PatchError)) throw error;
      const advice = bug.expected === undefined ? "" : "refresh it. ";
      return broken(`does not apply: ${advice}${error.message}`);
    }
    const { problems } = await workspace.build(places.map((place) => `packages/${place}`));
    // Those of the project are held to compile. An outsider's may be careless of types: what
    // matters is what runs.
    if (problems !== undefined && bug.expected !== undefined)
      return broken(`does not compile: refresh it. ${problems}`);
    if (problems !== undefined && isUnreadable(problems))
      return broken(`does not compile: ${problems}`);

    const found = await this.#firstFinding(workspace, places, bug.expected);
    if (found === undefined) {
      const detail = problems === undefined ? "" : `only the compiler complains: ${problems}`;
      return { verdict: "survived", stage: undefined, detail, seedsNeeded: undefined };
    }
    const { range } = found;
    const question = { finding: found.finding, places, range };
    const finding = found.finding.isCertain ? found.finding : await ask(workspace.folder, question);
    if (finding === undefined) {
      const { stage, seed, detail } = found.finding;
      const where = seed === undefined ? "" : ` at seed ${seed}`;
      return broken(`the ${stage} failed${where} once and not again: ${detail}`);
    }
    const control = await this.#control({ finding, places, range });
    if (control !== undefined) {
      const where = control.seed === undefined ? "" : ` at seed ${control.seed}`;
      return broken(`the ${finding.stage} fails${where} without the bug, too: ${control.detail}`);
    }
    return {
      verdict: "caught",
      stage: finding.stage,
      detail: finding.detail,
      seedsNeeded: seedsNeeded(finding, range, this.#options.firstSeed),
    };
  }

  async #firstFinding(
    { folder }: Workspace,
    places: readonly Place[],
    expected: StageName | undefined,
  ): Promise<{ finding: Finding; range: SeedRange | undefined } | undefined> {
    for (const simulator of simulatorsFor(places)) {
      const { from, to } = this.#options.seeds[simulator];
      // Replicas take long: where nobody expects them to notice, a few seeds have to do.
      const isUnlikely = simulator === "cluster" && expected === "unit";
      const all = { from, to: isUnlikely ? Math.min(to, from + UNLIKELY_SEED_COUNT) : to };
      const found = await this.#simulate(folder, simulator, all);
      if (found !== undefined) return found;
    }
    if (this.#options.isSimulatorOnly) return undefined;
    const finding =
      (places.includes("raft") ? await replayScenarios(folder) : undefined) ??
      (await runUnitTests(folder, places));
    return finding === undefined ? undefined : { finding, range: undefined };
  }

  async #simulate(
    folder: string,
    simulator: SimulatorName,
    all: SeedRange,
  ): Promise<{ finding: Finding; range: SeedRange } | undefined> {
    for (const range of growingRanges(all)) {
      const shares = evenRanges(range, this.#options.simulators);
      const findings = await Promise.all(shares.map((share) => simulate(folder, simulator, share)));
      // The first share that failed has the lowest seed, however they were shared out.
      const at = findings.findIndex((finding) => finding !== undefined);
      const finding = findings[at];
      if (finding !== undefined) return { finding, range: shares[at] ?? range };
    }
    return undefined;
  }

  #control(question: Question): Promise<Finding | undefined> {
    const { finding, places } = question;
    const seeds = seedsOf(question);
    const asked = seeds === undefined ? places.join() : `${seeds.from}-${seeds.to}`;
    const key = `${finding.stage} ${asked}`;
    const known = this.#controls.get(key);
    if (known !== undefined) return known;
    const control = ask(this.#template.folder, question);
    this.#controls.set(key, control);
    return control;
  }
}

/** What was found, and where it was looked for. */
interface Question {
  readonly finding: Finding;
  readonly places: readonly Place[];
  /** Of a simulator. */
  readonly range: SeedRange | undefined;
}

/** Asks the stage that found something once more, and for nothing else. */
function ask(folder: string, question: Question): Promise<Finding | undefined> {
  const { stage } = question.finding;
  if (stage === "conformance") return replayScenarios(folder);
  if (stage === "unit") return runUnitTests(folder, question.places);
  return simulate(folder, stage, required(seedsOf(question), "a simulator runs seeds"));
}

/** The seed that failed; all of them if it is not known. */
function seedsOf({ finding: { seed }, range }: Question): SeedRange | undefined {
  return seed === undefined ? range : { from: seed, to: seed + 1 };
}

type Result = Omit<Outcome, "bug" | "seconds">;

function broken(detail: string): Result {
  return { verdict: "broken", stage: undefined, detail, seedsNeeded: undefined };
}

/** Whether the compiler could not parse a file: then what it wrote is not what was meant. */
function isUnreadable(problems: string): boolean {
  return /error TS1\d{3}:/.test(problems);
}

function seedsNeeded(
  finding: Finding,
  range: SeedRange | undefined,
  first: number,
): number | undefined {
  if (range === undefined) return undefined;
  return (finding.seed ?? range.to - 1) - first + 1;
}

/** Splits a range into ranges of growing length. */
export function growingRanges(all: SeedRange): SeedRange[] {
  const ranges: SeedRange[] = [];
  let from = all.from;
  for (let length = FIRST_RANGE; from < all.to; length *= GROWTH) {
    const to = Math.min(all.to, from + length);
    ranges.push({ from, to });
    from = to;
  }
  return ranges;
}

/** Splits a range into at most `count` ranges of about the same length. */
export function evenRanges(all: SeedRange, count: number): SeedRange[] {
  const length = Math.ceil((all.to - all.from) / count);
  return Array.from({ length: count }, (_, at) => ({
    from: all.from + at * length,
    to: Math.min(all.to, all.from + (at + 1) * length),
  })).filter(({ from, to }) => from < to);
}
