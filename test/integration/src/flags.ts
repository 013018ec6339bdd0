/** What the command line asks for. */

import { type FlagSpecs, readFlags, refuseFlags } from "@quorumlog/std";
import type { Form } from "./scenario.ts";

export interface RunRequest {
  readonly kind: "run";
  readonly form: Form;
  readonly seed: number;
  /** Names of scenarios; `undefined` for all. */
  readonly only: readonly string[] | undefined;
  /** Kept between runs, if it was given. */
  readonly directory: string | undefined;
  readonly isResuming: boolean;
  readonly isJson: boolean;
}

export type Request = { readonly kind: "help" } | RunRequest;

export const HELP: string = `\
usage: npm run test:integration -- [--short] [--only NAME]... [--seed N] [--json]
                                   [--dir DIR [--resume]]

  --short      few rounds of everything, in less than 90 seconds
  --only NAME  this scenario; can be given again, and --only NAME/PART is a part of one
  --seed N     decides what is drawn, default 1; what happens when is the machine's
  --dir DIR    for the files of nodes, and state.json: what was done so far
  --resume     go on with what was done so far in DIR
  --json       print the summary as JSON
  --help       print this

Exit code: 0 if all is well; 1 if something is not; 2 for a wrong flag.
`;

const FLAGS = {
  short: { type: "switch" },
  only: { type: "texts" },
  seed: { type: "integer", min: 0, max: 1e15 - 1, fallback: 1 },
  dir: { type: "text" },
  resume: { type: "switch" },
  json: { type: "switch" },
  help: { type: "switch" },
} as const satisfies FlagSpecs;

/**
 * @param names - Of the scenarios that there are.
 * @throws FlagError
 */
export function parseRequest(argv: readonly string[], names: readonly string[]): Request {
  const { flags, problems } = readFlags(FLAGS, argv);
  if (flags.help) return { kind: "help" };
  for (const name of flags.only)
    if (!names.includes(name.split("/")[0] ?? ""))
      problems.push(`--only: there is no "${name}", but ${names.join(", ")}`);
  if (flags.resume && flags.dir === undefined)
    problems.push("--resume needs the --dir of the run that was cut");
  refuseFlags(problems);
  return {
    kind: "run",
    form: flags.short ? "short" : "full",
    seed: flags.seed,
    only: flags.only.length === 0 ? undefined : flags.only,
    directory: flags.dir,
    isResuming: flags.resume,
    isJson: flags.json,
  };
}
