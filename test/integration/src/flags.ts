/** What the command line asks for. */

import { parseArgs } from "node:util";
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

/** The command line makes no sense. */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

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

const OPTIONS = {
  short: { type: "boolean" },
  only: { type: "string", multiple: true },
  seed: { type: "string" },
  dir: { type: "string" },
  resume: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean" },
} as const;

/**
 * @param names - Of the scenarios that there are.
 * @throws FlagError
 */
export function parseRequest(argv: readonly string[], names: readonly string[]): Request {
  const values = valuesOf(argv);
  if (values.help === true) return { kind: "help" };
  const seed = /^\d{1,15}$/u.test(values.seed ?? "1") ? Number(values.seed ?? "1") : Number.NaN;
  if (Number.isNaN(seed)) throw new FlagError(`--seed: "${values.seed}" is not a count`);
  for (const name of values.only ?? [])
    if (!names.includes(name.split("/")[0] ?? ""))
      throw new FlagError(`--only: there is no "${name}", but ${names.join(", ")}`);
  if (values.resume === true && values.dir === undefined)
    throw new FlagError("--resume needs the --dir of the run that was cut");
  return {
    kind: "run",
    form: values.short === true ? "short" : "full",
    seed,
    only: values.only,
    directory: values.dir,
    isResuming: values.resume ?? false,
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
