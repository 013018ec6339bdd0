/** What the command line asks for. */

import { availableParallelism } from "node:os";
import type { SimulatorName } from "./place.ts";
import { parseShard, type Shard } from "./shard.ts";

export interface Flags {
  /** Files of outsiders' bugs, in place of the project's own. */
  readonly patches: readonly string[];
  /** Only bugs whose name contains one of these; all if there are none. */
  readonly only: readonly string[];
  readonly shard: Shard;
  /** For each simulator. */
  readonly seedCounts: Readonly<Record<SimulatorName, number>>;
  readonly firstSeed: number;
  readonly jobs: number;
  readonly isSimulatorOnly: boolean;
  readonly keepsCopies: boolean;
  readonly isList: boolean;
  readonly isJson: boolean;
  readonly isHelp: boolean;
}

/** The command line makes no sense. */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

/** For the project's own bugs, which are many, and for an outsider's. */
const PLANTED_SEED_COUNTS = { simulator: 400, cluster: 160 };
const FOREIGN_SEED_COUNTS = { simulator: 600, cluster: 240 };

export const HELP: string = `\
Plants known mistakes in copies of the core and of what stands around it, and demands that a test
notices.

Usage: npm run mutants -- [flags]

  --patch FILE   plant this bug in place of the project's own: any unified diff against
                 the sources of a package that is planted in; may be given more than once
  --only TEXT    only bugs whose name contains TEXT; may be given more than once
  --shard I/N    only the I-th of N shares
  --seeds N      simulate N seeds at most for each bug
                 (default ${countsIn(PLANTED_SEED_COUNTS)}; with --patch
                 ${countsIn(FOREIGN_SEED_COUNTS)})
  --from S       start at seed S (default 1)
  --jobs N       bugs tried at the same time (default: one for each core, 2 at most)
  --sim-only     ask the simulators alone
  --list         print the bugs, and try none
  --json         print one JSON document; progress goes to the other stream
  --keep         do not remove the copies
  --help         print this

The last line is "N passed, M failed": bugs that were caught, and bugs that survived or could not be
planted. Exit code: 0 if all were caught; 1 if not; 2 for a wrong flag.
`;

const SWITCHES = ["--sim-only", "--list", "--json", "--keep", "--help"];

/** @throws {@link FlagError} that names the first flag that makes no sense. */
export function parseFlags(argv: readonly string[]): Flags {
  const values = new Map<string, string[]>();
  const rest = [...argv];
  for (let flag = rest.shift(); flag !== undefined; flag = rest.shift()) {
    const at = flag.indexOf("=");
    const name = at < 0 ? flag : flag.slice(0, at);
    const inline = at < 0 ? undefined : flag.slice(at + 1);
    if (SWITCHES.includes(name)) {
      if (inline !== undefined) throw new FlagError(`${name} takes no value`);
      values.set(name, []);
      continue;
    }
    if (!["--patch", "--only", "--shard", "--seeds", "--from", "--jobs"].includes(name))
      throw new FlagError(`unknown flag ${flag}`);
    const value = inline ?? rest.shift();
    if (value === undefined || value === "") throw new FlagError(`${name} needs a value`);
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  const defaults = values.has("--patch") ? FOREIGN_SEED_COUNTS : PLANTED_SEED_COUNTS;
  return {
    patches: values.get("--patch") ?? [],
    only: values.get("--only") ?? [],
    shard: shardOf(values.get("--shard")?.at(-1) ?? "1/1"),
    seedCounts: {
      simulator: countOf(values, "--seeds", defaults.simulator),
      cluster: countOf(values, "--seeds", defaults.cluster),
    },
    firstSeed: countOf(values, "--from", 1),
    jobs: countOf(values, "--jobs", Math.min(2, availableParallelism())),
    isSimulatorOnly: values.has("--sim-only"),
    keepsCopies: values.has("--keep"),
    isList: values.has("--list"),
    isJson: values.has("--json"),
    isHelp: values.has("--help"),
  };
}

function countsIn({ simulator, cluster }: Flags["seedCounts"]): string {
  return `${simulator} of the core, ${cluster} of whole replicas`;
}

function shardOf(text: string): Shard {
  const shard = parseShard(text);
  if (shard === undefined) throw new FlagError(`--shard: ${text} is not like 1/4`);
  return shard;
}

function countOf(values: ReadonlyMap<string, string[]>, name: string, fallback: number): number {
  const text = values.get(name)?.at(-1);
  if (text === undefined) return fallback;
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new FlagError(`${name}: ${text} is not a positive integer`);
  return count;
}
