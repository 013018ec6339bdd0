/** What the command line asks for. */

import { type FlagSpecs, readFlags, refuseFlags } from "@quorumlog/std";
import { availableParallelism } from "node:os";

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

const SEED = { type: "integer", min: 0, max: Number.MAX_SAFE_INTEGER - 1 } as const;

const FLAGS = {
  seed: SEED,
  seeds: { type: "integer", min: 1, max: Number.MAX_SAFE_INTEGER, fallback: DEFAULT_SEED_COUNT },
  from: { ...SEED, fallback: 1 },
  jobs: { type: "integer", min: 1, max: JOB_COUNT_MAX },
  trace: { type: "switch" },
  json: { type: "switch" },
  help: { type: "switch" },
} as const satisfies FlagSpecs;

/** @throws FlagError that names each flag that makes no sense. */
export function parseRequest(argv: readonly string[]): Request {
  const { flags, given, problems } = readFlags(FLAGS, argv);
  const { seed, seeds, from, json: isJson } = flags;
  if (flags.help) return { kind: "help" };
  if (given.has("seed")) {
    for (const name of ["seeds", "from", "jobs"] as const)
      if (given.has(name)) problems.push(`--${name} is about many seeds, --seed about one`);
  } else if (flags.trace) problems.push("--trace needs --seed");
  const most = Number.MAX_SAFE_INTEGER - from;
  if (seeds > most) problems.push(`--seeds: from ${from} on there are only ${most}`);
  refuseFlags(problems);
  if (seed !== undefined) return { kind: "one", seed, hasTrace: flags.trace, isJson };
  const jobs = flags.jobs ?? Math.min(availableParallelism(), DEFAULT_JOB_COUNT_MAX);
  return { kind: "many", from, seeds, jobs: Math.min(jobs, seeds), isJson };
}
