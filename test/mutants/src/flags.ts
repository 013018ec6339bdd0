/** What the command line asks for. */

import { type FlagSpecs, readFlags, refuseFlags } from "@quorumlog/std";
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

const COUNT = { type: "integer", min: 1, max: Number.MAX_SAFE_INTEGER } as const;

const FLAGS = {
  patch: { type: "texts" },
  only: { type: "texts" },
  shard: { type: "text" },
  seeds: COUNT,
  from: { ...COUNT, fallback: 1 },
  jobs: COUNT,
  "sim-only": { type: "switch" },
  list: { type: "switch" },
  json: { type: "switch" },
  keep: { type: "switch" },
  help: { type: "switch" },
} as const satisfies FlagSpecs;

/** @throws FlagError that names each flag that makes no sense, unless help is asked for. */
export function parseFlags(argv: readonly string[]): Flags {
  const { flags, problems } = readFlags(FLAGS, argv);
  const shard = parseShard(flags.shard ?? "1/1");
  if (shard === undefined) problems.push(`--shard: "${flags.shard}" is not like 1/4`);
  if (!flags.help) refuseFlags(problems);
  const defaults = flags.patch.length > 0 ? FOREIGN_SEED_COUNTS : PLANTED_SEED_COUNTS;
  return {
    patches: flags.patch,
    only: flags.only,
    shard: shard ?? { number: 1, count: 1 },
    seedCounts: {
      simulator: flags.seeds ?? defaults.simulator,
      cluster: flags.seeds ?? defaults.cluster,
    },
    firstSeed: flags.from,
    jobs: flags.jobs ?? Math.min(2, availableParallelism()),
    isSimulatorOnly: flags["sim-only"],
    keepsCopies: flags.keep,
    isList: flags.list,
    isJson: flags.json,
    isHelp: flags.help,
  };
}

function countsIn({ simulator, cluster }: Flags["seedCounts"]): string {
  return `${simulator} of the core, ${cluster} of whole replicas`;
}
