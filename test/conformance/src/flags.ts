/** What the command line asks for. */

import { type FlagSpecs, readFlags, refuseFlags } from "@quorumlog/std";
export interface Flags {
  /** Folders to search instead of the project's scenarios. */
  readonly folders: readonly string[];
  /** Only scripts whose path contains this. */
  readonly filter: string;
  /** Record what comes out as what is expected. */
  readonly isRewrite: boolean;
  /** Show where log lines differ, too. */
  readonly isStrict: boolean;
  readonly isHelp: boolean;
}

export const HELP = `Replays conformance scripts against the Raft core.

Usage: npm run conformance -- [flags]

  --dir DIR      replay the scripts of DIR/interaction, DIR/confchange and DIR/quorum, and those
                 in DIR itself as interaction scripts; may be given more than once
                 (default: the project's scenarios, packages/raft/test/scenarios)
  --filter TEXT  only scripts whose path contains TEXT
  --log-lines    show where log lines differ, too; they never decide
  --rewrite      record the output as what is expected, in scripts of the project only
  --help         print this

Exit code: 0 if all directives pass; 1 if one fails, or if there is none; 2 for a wrong flag.
`;

const FLAGS = {
  dir: { type: "texts" },
  filter: { type: "text" },
  "log-lines": { type: "switch" },
  rewrite: { type: "switch" },
  help: { type: "switch" },
} as const satisfies FlagSpecs;

/** @throws FlagError that names each flag that makes no sense, unless help is asked for. */
export function parseFlags(argv: readonly string[]): Flags {
  const { flags, problems } = readFlags(FLAGS, argv);
  if (!flags.help) refuseFlags(problems);
  return {
    folders: flags.dir,
    filter: flags.filter ?? "",
    isRewrite: flags.rewrite,
    isStrict: flags["log-lines"],
    isHelp: flags.help,
  };
}
