/** What a figure is worth nothing without: the machine, the versions, the command, the day. */

import { execFileSync } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { arch, cpus, release, totalmem, type as systemName } from "node:os";
import { fileURLToPath } from "node:url";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  /** Of the system, as in `Linux 6.1.0`. */
  readonly kernel: string;
  /** As in `x64`. */
  readonly architecture: string;
  /** Of the folder that the measured files are in; `undefined` where it cannot be known. */
  readonly disk: Disk | undefined;
}

export interface Disk {
  /** As in `/dev/sda1`. */
  readonly device: string;
  /** As in `ext4`. */
  readonly filesystem: string;
}

export interface Provenance {
  readonly machine: Machine;
  /** As in `v20.20.0`. */
  readonly node: string;
  /** The version of the project's packages. */
  readonly quorumlog: string;
  /** `undefined` outside of a repository. */
  readonly commit: Commit | undefined;
  /** As it is typed to measure it again. */
  readonly command: string;
  /** When the figures were written down, as ISO 8601. */
  readonly date: string;
}

export interface Commit {
  readonly hash: string;
  /** Whether nothing in the tree differs from it. */
  readonly isClean: boolean;
}

const PROJECT = new URL("../../../", import.meta.url);
const GB = 1024 ** 3;
const GIT_TIMEOUT_MS = 10_000;
const SHORT_HASH = 10;
/** Words that a shell leaves as they are. */
const PLAIN_WORD = /^[\w./,:=@%+-]+$/;

/**
 * @param folder - Where the files of the bench are.
 * @param words - Of the command line, behind `npm run bench --`.
 */
export function provenanceOf(folder: string, words: readonly string[]): Provenance {
  const manifest = new URL("packages/replica/package.json", PROJECT);
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  return {
    machine: {
      cpu: (cpus()[0]?.model ?? "").trim(),
      cores: cpus().length,
      memoryGb: Number((totalmem() / GB).toFixed(1)),
      kernel: `${systemName()} ${release()}`,
      architecture: arch(),
      disk: diskOf(folder),
    },
    node: process.version,
    quorumlog: version,
    commit: commitOf(fileURLToPath(PROJECT)),
    command: ["npm run bench --", ...words.map(quoted)].join(" "),
    date: new Date().toISOString(),
  };
}

/** Two lines for a picture. */
export function linesOf({ machine, ...run }: Provenance): string[] {
  const { cpu, cores, memoryGb, kernel, disk } = machine;
  const parts = [
    `${cpu === "" ? "processor not known" : cpu}, ${cores} cores, ${memoryGb} GB`,
    ...(disk === undefined ? [] : [`${disk.filesystem} on ${disk.device}`]),
    kernel,
    `Node.js ${run.node}`,
  ];
  const { commit } = run;
  const state = commit === undefined ? "" : ` at ${commitInWords(commit)}`;
  const made = [`quorumlog ${run.quorumlog}${state}`, run.date.slice(0, 10), run.command];
  return [parts.join(" \u00b7 "), made.join(" \u00b7 ")];
}

/** As in `5c8edd49ce and changes`. */
export function commitInWords({ hash, isClean }: Commit): string {
  return `${hash.slice(0, SHORT_HASH)}${isClean ? "" : " and changes"}`;
}

/** The mount with the device number of the folder, where the system tells mounts. */
function diskOf(folder: string): Disk | undefined {
  try {
    return diskAmong(readFileSync("/proc/self/mountinfo", "utf8"), realpathSync(folder));
  } catch {
    return undefined; // Not Linux: figures are still worth having.
  }
}

/**
 * The mount that a path is on: of those above it the longest, and of equals the last.
 *
 * @param mounts - As in `/proc/self/mountinfo`.
 */
export function diskAmong(mounts: string, path: string): Disk | undefined {
  let [found, longest]: [Disk | undefined, number] = [undefined, 0];
  for (const line of mounts.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [filesystem, device] = after.split(" ");
    // A space in a name is written as an octal number.
    const point = before.split(" ")[4]?.replaceAll(String.raw`\040`, " ");
    if (filesystem === undefined || device === undefined || point === undefined) continue;
    const isAbove = point === "/" || path === point || path.startsWith(`${point}/`);
    if (isAbove && point.length >= longest)
      [found, longest] = [{ device, filesystem }, point.length];
  }
  return found;
}

/** @returns `undefined` where there is no repository, or no git. */
export function commitOf(folder: string): Commit | undefined {
  try {
    const hash = git(folder, "rev-parse", "HEAD").trim();
    return { hash, isClean: git(folder, "status", "--porcelain").trim() === "" };
  } catch {
    return undefined; // A copy of the sources without their history, or no git.
  }
}

function git(folder: string, ...words: readonly string[]): string {
  const options = { encoding: "utf8", timeout: GIT_TIMEOUT_MS, stdio: "pipe" } as const;
  return execFileSync("git", ["-C", folder, ...words], options);
}

function quoted(word: string): string {
  return PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
