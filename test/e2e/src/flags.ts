/** What the command line asks for. */

import { parseArgs } from "node:util";

export interface RunRequest {
  readonly kind: "run";
  readonly megabytes: number;
  readonly seed: number;
  readonly kills: number;
  readonly replacements: number;
  readonly members: number;
  readonly isJson: boolean;
}

export type Request = { readonly kind: "help" } | RunRequest;

/** The command line makes no sense. */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

export const HELP: string = `\
usage: npm run test:e2e -- [--megabytes N] [--kills N] [--replacements N] [--members N] [--seed N]
                           [--short] [--json]

Publishes the lines of the .js, .ts and .md files under node_modules to two broker groups of three
nodes each, with the file's path as message group, while leaders are killed with kill -9, a follower
is replaced by a new node, and a member of the consumer group is killed. Then compares what was
published with what was consumed, and with what is stored.

  --megabytes N     of lines, in [1, 10000], default 200
  --kills N         of leaders, default 5
  --replacements N  of followers, default 1
  --members N       of the consumer group, in [1, 16], default 3
  --seed N          decides what happens when and to whom, default 1
  --short           8 MB, one kill, one replacement
  --json            print the summary as JSON
  --help            print this

Exit code: 0 if all is well; 1 if something is not; 2 for a wrong flag.
`;

const OPTIONS = {
  megabytes: { type: "string" },
  kills: { type: "string" },
  replacements: { type: "string" },
  members: { type: "string" },
  seed: { type: "string" },
  short: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean" },
} as const;

type Name = "megabytes" | "kills" | "replacements" | "members" | "seed";

const BOUNDS: Readonly<Record<Name, readonly [min: number, max: number, fallback: number]>> = {
  megabytes: [1, 10_000, 200],
  kills: [0, 100, 5],
  replacements: [0, 100, 1],
  members: [1, 16, 3],
  seed: [0, Number.MAX_SAFE_INTEGER, 1],
};
const SHORT: Readonly<Partial<Record<Name, number>>> = { megabytes: 8, kills: 1, replacements: 1 };

/** @throws FlagError */
export function parseRequest(argv: readonly string[]): Request {
  const values = valuesOf(argv);
  if (values.help === true) return { kind: "help" };
  const count = (name: Name): number => {
    const [min, max, fallback] = BOUNDS[name];
    const text = values[name];
    if (text === undefined) return (values.short === true ? SHORT[name] : undefined) ?? fallback;
    const value = /^\d{1,16}$/u.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new FlagError(`--${name}: "${text}" is not an integer in [${min}, ${max}]`);
  };
  return {
    kind: "run",
    megabytes: count("megabytes"),
    seed: count("seed"),
    kills: count("kills"),
    replacements: count("replacements"),
    members: count("members"),
    isJson: values.json ?? false,
  };
}

function valuesOf(
  argv: readonly string[],
): ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"] {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS }).values;
  } catch (error) {
    throw new FlagError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
