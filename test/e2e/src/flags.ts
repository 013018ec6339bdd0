/** What the command line asks for. */

import { type FlagSpecs, readFlags, refuseFlags } from "@quorumlog/std";

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

const FLAGS = {
  megabytes: { type: "integer", min: 1, max: 10_000, fallback: 200 },
  kills: { type: "integer", min: 0, max: 100, fallback: 5 },
  replacements: { type: "integer", min: 0, max: 100, fallback: 1 },
  members: { type: "integer", min: 1, max: 16, fallback: 3 },
  seed: { type: "integer", min: 0, max: Number.MAX_SAFE_INTEGER, fallback: 1 },
  short: { type: "switch" },
  json: { type: "switch" },
  help: { type: "switch" },
} as const satisfies FlagSpecs;

const SHORT = { megabytes: 8, kills: 1 } as const;

/** @throws FlagError */
export function parseRequest(argv: readonly string[]): Request {
  const { flags, given, problems } = readFlags(FLAGS, argv);
  if (flags.help) return { kind: "help" };
  refuseFlags(problems);
  const { replacements, members, seed } = flags;
  const count = (name: keyof typeof SHORT): number =>
    flags.short && !given.has(name) ? SHORT[name] : flags[name];
  return {
    kind: "run",
    megabytes: count("megabytes"),
    seed,
    kills: count("kills"),
    replacements,
    members,
    isJson: flags.json,
  };
}
