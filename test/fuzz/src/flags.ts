/** What the command line asks for. */

import { type FlagSpecs, readFlags, refuseFlags } from "@quorumlog/std";

export interface Request {
  readonly from: number;
  /** How many seeds, at most. */
  readonly seeds: number;
  /** No seed begins after so long, in milliseconds. */
  readonly timeMs: number;
  readonly parts: readonly Part[];
}

export const PARTS = ["apply", "ports"] as const;

export type Part = (typeof PARTS)[number];

const SEEDS = 100;
const TIME_MS = 3_600_000;

export const HELP: string = `\
usage: npm run fuzz -- [--seeds N] [--from S] [--time MS] [--only apply|ports]

  --seeds N   how many seeds to run of each part, default ${SEEDS}
  --from S    the first of them, default 1
  --time MS   begin none after so long, in milliseconds, default ${TIME_MS}
  --only P    apply: damaged records in the broker's state machine
              ports: damaged bytes, frames, messages and batches at all ports of a cluster
  --help      print this

Exit code: 0 if all is well; 1 for a finding, with its seed and the bytes; 2 for a wrong flag.
`;

const COUNT = { type: "integer", min: 1, max: Number.MAX_SAFE_INTEGER } as const;

const FLAGS = {
  seeds: { ...COUNT, fallback: SEEDS },
  from: { ...COUNT, fallback: 1 },
  time: { ...COUNT, fallback: TIME_MS },
  only: { type: "text", oneOf: PARTS },
  help: { type: "switch" },
} as const satisfies FlagSpecs;

/** @returns `undefined` if help is asked for. @throws FlagError that names each wrong flag */
export function parseRequest(argv: readonly string[]): Request | undefined {
  const { flags, problems } = readFlags(FLAGS, argv);
  if (flags.help) return undefined;
  refuseFlags(problems);
  const { seeds, from, time, only } = flags;
  return { seeds, from, timeMs: time, parts: only === undefined ? PARTS : [only] };
}
