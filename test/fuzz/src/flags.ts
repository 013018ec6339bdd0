/** What the command line asks for. */

import { parseArgs } from "node:util";

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

/** The command line makes no sense. */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

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

const OPTIONS = {
  seeds: { type: "string" },
  from: { type: "string" },
  time: { type: "string" },
  only: { type: "string" },
  help: { type: "boolean" },
} as const;

/** @returns `undefined` if help is asked for. @throws FlagError that names the flag */
export function parseRequest(argv: readonly string[]): Request | undefined {
  const values = valuesOf(argv);
  if (values.help === true) return undefined;
  const only = PARTS.find((part) => part === values.only);
  if (values.only !== undefined && only === undefined)
    throw new FlagError(`--only: ${values.only} is none of ${PARTS.join(", ")}`);
  return {
    seeds: countOf("seeds", values.seeds, SEEDS),
    from: countOf("from", values.from, 1),
    timeMs: countOf("time", values.time, TIME_MS),
    parts: only === undefined ? PARTS : [only],
  };
}

function valuesOf(argv: readonly string[]): ReturnType<typeof parse>["values"] {
  try {
    return parse(argv).values;
  } catch (error) {
    throw new FlagError((error as Error).message, { cause: error });
  }
}

function parse(argv: readonly string[]): ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>> {
  return parseArgs({ args: [...argv], options: OPTIONS });
}

function countOf(name: string, text: string | undefined, fallback: number): number {
  const count = text === undefined ? fallback : Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new FlagError(`--${name}: ${text} is not a positive integer`);
}
