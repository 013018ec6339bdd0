/** What the command line asks for. */

import { type FlagSpecs, readFlags, refuseFlags } from "@quorumlog/std";

export interface RunRequest {
  readonly kind: "run";
  readonly workloads: readonly string[];
  readonly nemeses: readonly string[];
  /** Of the part with faults; start, recovery and checks come on top. */
  readonly timeLimitS: number;
  readonly seed: number;
  readonly nodeCount: 3 | 5;
  /** Operations per second of each workload; `undefined`: as fast as is useful. */
  readonly rate: number | undefined;
  /** The run's folder is made in here. */
  readonly out: string;
  /** Whether the data of nodes stay when all is well. */
  readonly isKept: boolean;
}

export interface CheckRequest {
  readonly kind: "check";
  readonly file: string;
  /** `undefined`: as the file's name says. */
  readonly workload: string | undefined;
}

export interface ReportRequest {
  readonly kind: "report";
  readonly folder: string;
}

export type Request = { readonly kind: "help" } | CheckRequest | ReportRequest | RunRequest;

/** What there is to choose from. */
export interface Choices {
  readonly workloads: readonly string[];
  readonly nemeses: readonly string[];
  readonly defaults: { readonly workloads: readonly string[]; readonly nemeses: readonly string[] };
  /** Whose histories can be checked. */
  readonly checks: readonly string[];
}

export function helpOf({ workloads, nemeses, defaults, checks }: Choices): string {
  return `\
usage: npm run jepsen -- [--workload A,B] [--nemesis X,Y] [--time-limit S] [--seed N]
                         [--nodes 3|5] [--rate N] [--out DIR] [--keep]
       npm run jepsen -- --check FILE [--workload NAME]
       npm run jepsen -- --report FOLDER

Starts clusters of real processes, lets clients use them while faults go on, and checks what the
clients were told. Each workload has a cluster of its own. What was seen is left in a folder, with
a report to look at.

  --workload A,B  what clients do, default ${defaults.workloads.join(",")}; there are
                  ${listed(workloads)}
  --nemesis X,Y   what happens meanwhile, default ${defaults.nemeses.join(",")}; there are
                  ${listed(nemeses)}
  --time-limit S  seconds with faults, in [5, 86400], default ${TIME_LIMIT_S}
  --seed N        decides what is drawn; default: another one each time, which is told
  --nodes 3|5     of each cluster, default 3
  --rate N        operations per second of each workload, at most; default: as fast as is useful
  --out DIR       where the folder is made, default out/jepsen
  --keep          leave the files of nodes in it, also if all is well
  --check FILE    check a history: JSON lines as in a run's folder, of the workloads
                  ${listed(checks)}
  --report FOLDER write the report of a run's folder anew
  --help          print this

Exit code: 0 if all is well; 1 if there is an anomaly, or a fault that was asked for never had an
effect; 2 for wrong flags; 3 if a check came to no end.
`;
}

const TIME_LIMIT_S = 150;
const SEED_BELOW = 2 ** 31;

const FLAGS = {
  workload: { type: "text" },
  nemesis: { type: "text" },
  "time-limit": { type: "integer", min: 5, max: 86_400, fallback: TIME_LIMIT_S },
  seed: { type: "integer", min: 0, max: Number.MAX_SAFE_INTEGER },
  nodes: { type: "text", oneOf: ["3", "5"] },
  rate: { type: "integer", min: 1, max: 1_000_000 },
  out: { type: "text" },
  keep: { type: "switch" },
  check: { type: "text" },
  report: { type: "text" },
  help: { type: "switch" },
} as const satisfies FlagSpecs;

/** What a run is for, and what else would be said to no effect. */
const OF_A_RUN = ["nemesis", "time-limit", "seed", "nodes", "rate", "out", "keep"] as const;

/** @throws FlagError which names all that is wrong */
export function parseRequest(argv: readonly string[], choices: Choices): Request {
  const { flags, given, problems } = readFlags(FLAGS, argv);
  if (flags.help) return { kind: "help" };
  if (flags.check !== undefined && flags.report !== undefined)
    problems.push("--check and --report: one at a time");
  const alone = flags.check === undefined ? "report" : "check";
  if (flags.check !== undefined || flags.report !== undefined)
    for (const name of OF_A_RUN)
      if (given.has(name)) problems.push(`--${name} does not go with --${alone}`);
  if (flags.report !== undefined) {
    if (given.has("workload")) problems.push("--workload does not go with --report");
    refuseFlags(problems);
    return { kind: "report", folder: flags.report };
  }
  if (flags.check !== undefined) {
    if (flags.workload !== undefined && !choices.checks.includes(flags.workload))
      problems.push(`--workload: "${flags.workload}" is none of ${choices.checks.join(", ")}`);
    refuseFlags(problems);
    return { kind: "check", file: flags.check, workload: flags.workload };
  }
  const { defaults } = choices;
  const chosen = (name: "nemesis" | "workload", known: readonly string[]): string[] => {
    const names = flags[name]?.split(",").map((each) => each.trim()) ?? [];
    for (const each of names)
      if (!known.includes(each))
        problems.push(`--${name}: "${each}" is none of ${known.join(", ")}`);
    return [...new Set(names)];
  };
  const workloads = chosen("workload", choices.workloads);
  const nemeses = chosen("nemesis", choices.nemeses);
  refuseFlags(problems);
  return {
    kind: "run",
    workloads: workloads.length === 0 ? defaults.workloads : workloads,
    nemeses: nemeses.length === 0 ? defaults.nemeses : nemeses,
    timeLimitS: flags["time-limit"],
    seed: flags.seed ?? Math.floor(Math.random() * SEED_BELOW),
    nodeCount: flags.nodes === "5" ? 5 : 3,
    rate: flags.rate,
    out: flags.out ?? "out/jepsen",
    isKept: flags.keep,
  };
}

/** The command that asks for the same again. */
export function commandOf(request: RunRequest): string {
  const { workloads, nemeses, timeLimitS, seed, nodeCount, rate } = request;
  const parts = [
    "npm run jepsen --",
    `--workload ${workloads.join(",")}`,
    `--nemesis ${nemeses.join(",")}`,
    `--time-limit ${timeLimitS}`,
    `--seed ${seed}`,
    `--nodes ${nodeCount}`,
    ...(rate === undefined ? [] : [`--rate ${rate}`]),
  ];
  return parts.join(" ");
}

/** In lines that are no longer than the help's others. */
function listed(names: readonly string[]): string {
  const lines = [""];
  for (const name of names) {
    const last = lines.at(-1) ?? "";
    if (last.length + name.length > 76) lines.push(`${name}, `);
    else lines[lines.length - 1] = `${last}${name}, `;
  }
  return lines.join("\n                  ").replace(/, $/u, "").replaceAll(/ \n/gu, "\n");
}
