/** What the command line asks for. */

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

/** The command line makes no sense. */
export class FlagError extends Error {
  override readonly name = "FlagError";
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

/** @throws {@link FlagError} that names the first flag that makes no sense. */
export function parseFlags(argv: readonly string[]): Flags {
  const folders: string[] = [];
  let filter = "";
  const set = new Set<string>();
  const rest = [...argv];
  for (let flag = rest.shift(); flag !== undefined; flag = rest.shift()) {
    const [name, inline] = splitFlag(flag);
    switch (name) {
      case "--dir":
        folders.push(valueOf(name, inline, rest));
        break;
      case "--filter":
        filter = valueOf(name, inline, rest);
        break;
      case "--help":
      case "--log-lines":
      case "--rewrite":
        if (inline !== undefined) throw new FlagError(`${name} takes no value`);
        set.add(name);
        break;
      default:
        throw new FlagError(`unknown flag ${flag}`);
    }
  }
  return {
    folders,
    filter,
    isRewrite: set.has("--rewrite"),
    isStrict: set.has("--log-lines"),
    isHelp: set.has("--help"),
  };
}

function splitFlag(flag: string): [string, string | undefined] {
  const at = flag.indexOf("=");
  return at < 0 ? [flag, undefined] : [flag.slice(0, at), flag.slice(at + 1)];
}

function valueOf(name: string, inline: string | undefined, rest: string[]): string {
  const value = inline ?? rest.shift();
  if (value === undefined || value === "") throw new FlagError(`${name} needs a value`);
  return value;
}
