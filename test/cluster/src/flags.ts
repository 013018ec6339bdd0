/** What the command line asks for. */

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

export type Request =
  | { readonly kind: "help" }
  /** One seed, twice: both runs have to be the same. */
  | {
      readonly kind: "one";
      readonly seed: number;
      readonly hasTrace: boolean;
      readonly isJson: boolean;
    }
  /** The seeds `[from, from + seeds)`. */
  | {
      readonly kind: "many";
      readonly from: number;
      readonly seeds: number;
      readonly jobs: number;
      readonly isJson: boolean;
    };

/** The command line makes no sense. */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

const DEFAULT_SEED_COUNT = 200;
const DEFAULT_JOB_COUNT_MAX = 2;
const JOB_COUNT_MAX = 64;

export const HELP: string = `\
usage: npm run cluster -- [--seeds N] [--from S] [--jobs J] [--json]
       npm run cluster -- --seed X [--trace] [--json]

  --seeds N   how many seeds to run, default ${DEFAULT_SEED_COUNT}
  --from S    the first of them, default 1
  --jobs J    threads, at most ${JOB_COUNT_MAX};
              default ${DEFAULT_JOB_COUNT_MAX} or as many as there are cores
  --seed X    run one seed, twice: both runs have to be the same
  --trace     write its story to stdout
  --json      print the summary as JSON
  --help      print this

Exit code: 0 if all is well; 1 for a violation, or a rare path that was never taken by
${DEFAULT_SEED_COUNT} seeds or more; 2 for a wrong flag.
`;

const OPTIONS = {
  seed: { type: "string" },
  seeds: { type: "string" },
  from: { type: "string" },
  jobs: { type: "string" },
  trace: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean" },
} as const;

/** @throws {@link FlagError} that names the first flag that makes no sense. */
export function parseRequest(argv: readonly string[]): Request {
  const values = valuesOf(argv);
  if (values.help === true) return { kind: "help" };
  const isJson = values.json ?? false;
  if (values.seed !== undefined) {
    for (const name of ["seeds", "from", "jobs"] as const)
      if (values[name] !== undefined)
        throw new FlagError(`--${name} is about many seeds, --seed about one`);
    const seed = asCount("seed", values.seed, { min: 0, max: Number.MAX_SAFE_INTEGER });
    return { kind: "one", seed, hasTrace: values.trace ?? false, isJson };
  }
  if (values.trace !== undefined) throw new FlagError("--trace needs --seed");
  const from = asCount("from", values.from ?? "1", { min: 0, max: Number.MAX_SAFE_INTEGER - 1 });
  const most = Number.MAX_SAFE_INTEGER - from;
  const seeds = asCount("seeds", values.seeds ?? `${DEFAULT_SEED_COUNT}`, { min: 1, max: most });
  const cores = Math.min(availableParallelism(), DEFAULT_JOB_COUNT_MAX);
  const jobs = asCount("jobs", values.jobs ?? `${cores}`, { min: 1, max: JOB_COUNT_MAX });
  return { kind: "many", from, seeds, jobs: Math.min(jobs, seeds), isJson };
}

function valuesOf(
  argv: readonly string[],
): ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"] {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS }).values;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new FlagError(message.split(/\.?(?:\n| To specify)/)[0] ?? message, { cause: error });
  }
}

function asCount(name: string, text: string, range: { min: number; max: number }): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= range.min && value <= range.max) return value;
  throw new FlagError(`--${name}: "${text}" is not an integer from ${range.min} to ${range.max}`);
}
