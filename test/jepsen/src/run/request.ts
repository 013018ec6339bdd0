/** What the command line asks for. */

import { DISK_NAMES, type DiskName } from "../disk/disk.ts";
import { NET_NAMES, type NetName } from "../links/net.ts";
import { type FlagSpecs, readFlags, refuseFlags } from "@quorumlog/std";

export interface RunRequest {
  readonly kind: "run";
  readonly workloads: readonly string[];
  readonly nemeses: readonly string[];
  /** Of the part with faults; start, recovery and checks come on top. */
  readonly timeLimitS: number;
  readonly seed: number;
  readonly nodeCount: 3 | 5;
  readonly net: NetName;
  readonly disk: DiskName;
  /** The program; `undefined`: the one on the PATH, if one is needed. */
  readonly lazyfs: string | undefined;
  /** Operations per second of each workload; `undefined`: as fast as is useful. */
  readonly rate: number | undefined;
  /** Whether reads at a leader rest on its lease; `undefined`: in some clusters, by the seed. */
  readonly leaseReads: boolean | undefined;
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

/** Builds that are broken on purpose are to be found. */
export interface SelfTestRequest {
  readonly kind: "self-test";
  /** Of those whose names have it in them; `undefined`: of all. */
  readonly only: string | undefined;
  readonly seed: number;
  /** How many are tried at the same time. */
  readonly jobs: number;
}

/** A run of a build that somebody has broken. */
export interface BrokenRequest extends Omit<RunRequest, "kind"> {
  readonly kind: "broken";
  /** A file, in the format of `diff -u`. */
  readonly patch: string;
}

/** All workloads under each fault. */
export interface SuiteRequest {
  readonly kind: "suite";
  /** Of each cell. */
  readonly timeLimitS: number;
  readonly seed: number;
  readonly nodeCount: 3 | 5;
  readonly net: NetName;
  readonly rate: number | undefined;
  /** What was done so far is in here. */
  readonly out: string;
}

export type Request =
  | { readonly kind: "help" }
  | BrokenRequest
  | CheckRequest
  | ReportRequest
  | RunRequest
  | SelfTestRequest
  | SuiteRequest;

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
                         [--nodes 3|5] [--net proxy|netns] [--disk unsynced|lazyfs] [--lazyfs PATH]
                         [--rate N] [--lease-reads on|off] [--out DIR] [--keep]
       npm run jepsen -- --suite full [--time-limit S] [--seed N] [--nodes 3|5]
                         [--net proxy|netns] [--out DIR]
       npm run jepsen -- --check FILE [--workload NAME]
       npm run jepsen -- --report FOLDER
       npm run jepsen -- --self-test [--only NAME] [--jobs N]
       npm run jepsen -- --broken PATCH [--workload A,B] [--nemesis X,Y] [--time-limit S]

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
  --net NAME      what links are: "proxy", user-space proxies, the default; "netns", network
                  namespaces of Linux whose kernel drops packets: as root, with the packages
                  iproute2 and util-linux
  --disk NAME     where a power loss takes away what is not synced: "unsynced", the memory of the
                  node's process, the default; "lazyfs", a file system in user space, LazyFS, which
                  has LMDB's files, too: with /dev/fuse and the package fuse3
  --lazyfs PATH   the program; default lazyfs, on the PATH
  --rate N        operations per second of each workload, at most; default: as fast as is useful
  --lease-reads on|off
                  whether reads at a leader rest on its lease, default in some clusters
  --out DIR       where the folder is made, default out/jepsen
  --keep          leave the files of nodes in it, also if all is well
  --suite full    every workload under each fault alone, S seconds each, default ${SUITE_S}; prints
                  a matrix, and goes on where it was cut
  --check FILE    check a history: JSON lines as in a run's folder, of the workloads
                  ${listed(checks)}
  --report FOLDER write the report of a run's folder anew
  --self-test     break copies of the project on purpose, and find each of them out
  --only NAME     only those whose names have this in them
  --jobs N        copies that are tried at the same time, default ${JOBS}
  --broken PATCH  the same with a patch of your own (diff -u), and a run as it is asked for
  --help          print this

Exit code: 0 if all is well; 1 if there is an anomaly, or a fault that was asked for never had an
effect; 2 for wrong flags; 3 if a check came to no end.
`;
}

const TIME_LIMIT_S = 150;
const SUITE_S = 20;
/** A suite that is cut goes on with the same one. */
const SUITE_SEED = 1;
const SEED_BELOW = 2 ** 31;
const JOBS = 2;

const FLAGS = {
  workload: { type: "text" },
  nemesis: { type: "text" },
  "time-limit": { type: "integer", min: 5, max: 86_400 },
  seed: { type: "integer", min: 0, max: Number.MAX_SAFE_INTEGER },
  nodes: { type: "text", oneOf: ["3", "5"] },
  net: { type: "text", oneOf: NET_NAMES },
  disk: { type: "text", oneOf: DISK_NAMES },
  lazyfs: { type: "text" },
  rate: { type: "integer", min: 1, max: 1_000_000 },
  "lease-reads": { type: "text", oneOf: ["on", "off"] },
  out: { type: "text" },
  keep: { type: "switch" },
  suite: { type: "text", oneOf: ["full"] },
  check: { type: "text" },
  report: { type: "text" },
  "self-test": { type: "switch" },
  only: { type: "text" },
  jobs: { type: "integer", min: 1, max: 16, fallback: JOBS },
  broken: { type: "text" },
  help: { type: "switch" },
} as const satisfies FlagSpecs;

type FlagName = keyof typeof FLAGS;
type Mode = "broken" | "check" | "report" | "run" | "self-test" | "suite";

const OF_A_RUN = [
  "workload",
  "nemesis",
  "time-limit",
  "seed",
  "nodes",
  "disk",
  "lazyfs",
  "rate",
  "lease-reads",
] as const;

/** What is said to some effect, by what is asked for. */
const GOES_WITH: Readonly<Record<Mode, readonly FlagName[]>> = {
  run: [...OF_A_RUN, "net", "out", "keep"],
  broken: OF_A_RUN,
  suite: ["time-limit", "seed", "nodes", "net", "rate", "out"],
  check: ["workload"],
  report: [],
  "self-test": ["only", "jobs", "seed"],
};

/** @throws FlagError which names all that is wrong */
export function parseRequest(argv: readonly string[], choices: Choices): Request {
  const { flags, given, problems } = readFlags(FLAGS, argv);
  if (flags.help) return { kind: "help" };
  const modes = (["suite", "check", "report", "self-test", "broken"] as const).filter((name) =>
    given.has(name),
  );
  if (modes.length > 1)
    problems.push(`${modes.map((name) => `--${name}`).join(", ")}: one at a time`);
  const mode: Mode = modes[0] ?? "run";
  for (const name of given)
    if (!modes.some((each) => each === name) && !GOES_WITH[mode].includes(name))
      problems.push(
        mode === "run" ? `--${name} goes with --self-test` : `--${name} does not go with --${mode}`,
      );
  const { workload, check, report, broken, only, jobs } = flags;
  const chosen = (name: "nemesis" | "workload", known: readonly string[]): string[] => {
    const names = flags[name]?.split(",").map((each) => each.trim()) ?? [];
    for (const each of names)
      if (!known.includes(each))
        problems.push(`--${name}: "${each}" is none of ${known.join(", ")}`);
    return [...new Set(names)];
  };
  const workloads = chosen("workload", mode === "check" ? choices.checks : choices.workloads);
  const nemeses = chosen("nemesis", choices.nemeses);
  if (flags.lazyfs !== undefined && flags.disk !== "lazyfs")
    problems.push("--lazyfs goes with --disk lazyfs");
  refuseFlags(problems);
  if (report !== undefined) return { kind: "report", folder: report };
  if (check !== undefined) return { kind: "check", file: check, workload };
  const nodeCount = flags.nodes === "5" ? (5 as const) : (3 as const);
  const net = NET_NAMES.find((name) => name === flags.net) ?? "proxy";
  const out = flags.out ?? "out/jepsen";
  if (flags.suite !== undefined) {
    const timeLimitS = flags["time-limit"] ?? SUITE_S;
    const suiteSeed = flags.seed ?? SUITE_SEED;
    return { kind: "suite", timeLimitS, seed: suiteSeed, nodeCount, net, rate: flags.rate, out };
  }
  const seed = flags.seed ?? Math.floor(Math.random() * SEED_BELOW);
  if (flags["self-test"]) return { kind: "self-test", only, seed, jobs };
  const { defaults } = choices;
  const run = {
    workloads: workloads.length === 0 ? defaults.workloads : workloads,
    nemeses: nemeses.length === 0 ? defaults.nemeses : nemeses,
    timeLimitS: flags["time-limit"] ?? TIME_LIMIT_S,
    seed,
    nodeCount,
    net,
    disk: DISK_NAMES.find((name) => name === flags.disk) ?? "unsynced",
    lazyfs: flags.lazyfs,
    rate: flags.rate,
    leaseReads: flags["lease-reads"] === undefined ? undefined : flags["lease-reads"] === "on",
    out,
    isKept: flags.keep,
  };
  return broken === undefined ? { kind: "run", ...run } : { kind: "broken", patch: broken, ...run };
}

/** The command that asks for the same again. */
export function commandOf(request: RunRequest): string {
  const { workloads, nemeses, timeLimitS, seed, nodeCount, rate, leaseReads } = request;
  const { net, disk, lazyfs } = request;
  const parts = [
    "npm run jepsen --",
    `--workload ${workloads.join(",")}`,
    `--nemesis ${nemeses.join(",")}`,
    `--time-limit ${timeLimitS}`,
    `--seed ${seed}`,
    `--nodes ${nodeCount}`,
    ...(net === "proxy" ? [] : [`--net ${net}`]),
    ...(disk === "unsynced" ? [] : [`--disk ${disk}`]),
    ...(lazyfs === undefined ? [] : [`--lazyfs ${lazyfs}`]),
    ...(rate === undefined ? [] : [`--rate ${rate}`]),
    ...(leaseReads === undefined ? [] : [`--lease-reads ${leaseReads ? "on" : "off"}`]),
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
