/** What the command line asks for. */

import { type FlagSpecs, readFlags, refuseFlags } from "@quorumlog/std";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
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

/** The last seed of a range, and one more, are still numbers that can be told apart. */
const SEED = { type: "integer", min: 0, max: Number.MAX_SAFE_INTEGER - 1 } as const;
const COUNT = { type: "integer", min: 1, max: Number.MAX_SAFE_INTEGER } as const;

const FLAGS = {
  seed: SEED,
  seeds: { ...COUNT, fallback: DEFAULT_SEED_COUNT },
  from: { ...SEED, fallback: 1 },
  jobs: COUNT,
  "fail-fast": { type: "switch" },
  json: { type: "switch" },
  trace: { type: "text" },
  tla: { type: "text" },
  help: { type: "switch" },
} as const satisfies FlagSpecs;

/** @throws FlagError that names each flag that makes no sense. */
export function parseRequest(argv: readonly string[]): Request {
  const { flags, given, problems } = readFlags(FLAGS, argv);
  const { seed, seeds, from, trace, tla, json: isJson } = flags;
  if (flags.help) return { kind: "help" };
  if (given.has("seed")) {
    for (const name of ["seeds", "from", "jobs", "fail-fast"] as const)
      if (given.has(name)) problems.push(`--${name} is about many seeds, --seed about one`);
    if (trace !== undefined && tla !== undefined && resolve(trace) === resolve(tla))
      problems.push("--trace and --tla need a file each");
  } else
    for (const name of ["trace", "tla"] as const)
      if (given.has(name)) problems.push(`--${name} needs --seed`);
  const most = Number.MAX_SAFE_INTEGER - from;
  if (seeds > most) problems.push(`--seeds: from ${from} on there are only ${most}`);
  refuseFlags(problems);
  if (seed !== undefined) return { kind: "one", seed, isJson, trace, tla };
  const asked = flags.jobs ?? Math.min(availableParallelism(), DEFAULT_JOB_COUNT_MAX);
  const jobs = Math.min(asked, seeds, JOB_COUNT_MAX);
  return { kind: "many", from, seeds, jobs, isFailFast: flags["fail-fast"], isJson };
}
