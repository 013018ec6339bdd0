/** What the command line asks for. */

import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { RARE_PATH_SEED_COUNT } from "./run/rare-paths.ts";

export interface HelpRequest {
  readonly kind: "help";
}

/** One seed again, with whatever is to be written down of it. */
export interface OneSeedRequest {
  readonly kind: "one";
  readonly seed: number;
  readonly isJson: boolean;
  /** Files to write; `undefined` for none. */
  readonly trace: string | undefined;
  readonly tla: string | undefined;
}

/** The seeds `[from, from + seeds)`. */
export interface ManySeedsRequest {
  readonly kind: "many";
  readonly from: number;
  readonly seeds: number;
  readonly jobs: number;
  readonly isFailFast: boolean;
  readonly isJson: boolean;
}

export type Request = HelpRequest | OneSeedRequest | ManySeedsRequest;

/** The command line makes no sense, or names a file that cannot be written. */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

const DEFAULT_SEED_COUNT = 200;
const DEFAULT_JOB_COUNT_MAX = 2;
/** Threads beyond this only cost memory. */
const JOB_COUNT_MAX = 64;

export const HELP: string = `\
usage: npm run sim -- [--seeds N] [--from S] [--jobs J] [--fail-fast] [--json]
       npm run sim -- --seed X [--trace FILE] [--tla FILE] [--json]

  --seeds N      how many seeds to run, default ${DEFAULT_SEED_COUNT}
  --from S       the first of them, default 1
  --jobs J       threads, at most ${JOB_COUNT_MAX};
                 default ${DEFAULT_JOB_COUNT_MAX} or as many as there are cores
  --fail-fast    hand out no more seeds after the first violation
  --seed X       run one seed, twice: both runs have to be the same
  --trace FILE   write its story, line by line
  --tla FILE     write its events as NDJSON for etcd's Traceetcdraft.tla
  --json         print the summary as JSON
  --help         print this

Exit code: 0 if all is well; 1 for a violation, a seed without a result, or a rare path that was
never taken by ${RARE_PATH_SEED_COUNT} seeds or more; 2 for a wrong flag, or a file that cannot be
written.
`;

/** @throws {@link FlagError} that names the first flag that makes no sense. */
export function parseRequest(argv: readonly string[]): Request {
  const values = valuesOf(argv);
  if (values.help === true) return { kind: "help" };
  const { trace, tla } = values;
  const isJson = values.json ?? false;
  if (values.seed !== undefined) {
    for (const name of ["seeds", "from", "jobs", "fail-fast"] as const)
      if (values[name] !== undefined)
        throw new FlagError(`--${name} is about many seeds, --seed about one`);
    if (trace === "" || tla === "")
      throw new FlagError(`--${trace === "" ? "trace" : "tla"} needs the name of a file`);
    if (trace !== undefined && tla !== undefined && resolve(trace) === resolve(tla))
      throw new FlagError("--trace and --tla need a file each");
    return { kind: "one", seed: seedOf("seed", values.seed), isJson, trace, tla };
  }
  for (const name of ["trace", "tla"] as const)
    if (values[name] !== undefined) throw new FlagError(`--${name} needs --seed`);
  const from = seedOf("from", values.from ?? "1");
  const most = Number.MAX_SAFE_INTEGER - from;
  const seeds = asCount("seeds", values.seeds ?? `${DEFAULT_SEED_COUNT}`, { min: 1, max: most });
  const cores = Math.min(availableParallelism(), DEFAULT_JOB_COUNT_MAX);
  const asked = asCount("jobs", values.jobs ?? `${cores}`, {
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
  });
  const jobs = Math.min(asked, seeds, JOB_COUNT_MAX);
  return { kind: "many", from, seeds, jobs, isFailFast: values["fail-fast"] ?? false, isJson };
}

const OPTIONS = {
  seed: { type: "string" },
  seeds: { type: "string" },
  from: { type: "string" },
  jobs: { type: "string" },
  "fail-fast": { type: "boolean" },
  json: { type: "boolean" },
  trace: { type: "string" },
  tla: { type: "string" },
  help: { type: "boolean" },
} as const;

function valuesOf(
  argv: readonly string[],
): ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"] {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS }).values;
  } catch (error) {
    // Its first sentence says which flag; the others are advice about positional arguments.
    const message = error instanceof Error ? error.message : String(error);
    throw new FlagError(message.split(/\.?(?:\n| To specify)/)[0] ?? message, { cause: error });
  }
}

/** The last seed of a range, and one more, are still numbers that can be told apart. */
function seedOf(name: string, text: string): number {
  return asCount(name, text, { min: 0, max: Number.MAX_SAFE_INTEGER - 1 });
}

function asCount(name: string, text: string, range: { min: number; max: number }): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  // Not a number is in no range.
  if (value >= range.min && value <= range.max) return value;
  throw new FlagError(`--${name}: "${text}" is not an integer from ${range.min} to ${range.max}`);
}
