/** What the command line asks for. */

import { type FlagSpecs, readFlags } from "@quorumlog/std";

export interface HelpRequest {
  readonly command: "help";
}

interface DirectoryRequest {
  readonly directory: string;
  readonly isJson: boolean;
}

export interface StatRequest extends DirectoryRequest {
  readonly command: "stat";
}

export interface VerifyRequest extends DirectoryRequest {
  readonly command: "verify";
}

export interface DumpRequest extends DirectoryRequest {
  readonly command: "dump";
  /** The first entry to show. */
  readonly from: number | undefined;
  /** How many frames to show at most. */
  readonly countMax: number;
  readonly isHex: boolean;
}

export type InspectionRequest = HelpRequest | StatRequest | VerifyRequest | DumpRequest;

/** The command line makes no sense. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const HELP = `\
usage: quorumlog-log stat   DIR [--json]
       quorumlog-log verify DIR [--json]
       quorumlog-log dump   DIR [--from INDEX] [--count N] [--hex] [--json]

Looks at the log of a node that is stopped. Writes nothing, and takes no lock. DIR is the directory
with the segments; a replica's is group-0/log in the directory that it was opened with.

  stat           whose log it is, what it holds, and its files
  verify         read every frame of every segment, and say what is sound, torn or corrupt
  dump           the frames, in the order of the files
    --from INDEX   begin with the first entry of that index or a higher one
    --count N      at most so many frames
    --hex          their payloads, too
  --json         for programs: one object, of dump one for each frame; errors, on stderr, too
  --help         print this

Exit code: 0 if all is well, a torn tail included, which is what a crash leaves and the next start
cuts; 1 if the log is damaged or cannot be read; 2 for a wrong flag, or if a live process has it.
`;

const COUNT = { type: "integer", min: 1, max: Number.MAX_SAFE_INTEGER } as const;

const FLAGS = {
  from: COUNT,
  count: COUNT,
  hex: { type: "switch" },
  json: { type: "switch" },
  help: { type: "switch" },
} as const satisfies FlagSpecs;

/** @throws {@link UsageError} with a line for each thing that makes no sense. */
export function parseRequest(argv: readonly string[]): InspectionRequest {
  const args = argv.map((arg) => (arg === "-h" ? "--help" : arg));
  const { flags, given, words, problems } = readFlags(FLAGS, args, 3);
  const [command, directory = "", extra] = words;
  if (flags.help || command === "help") return { command: "help" };
  if (command === undefined) problems.push("no command: stat, verify or dump");
  else if (command !== "stat" && command !== "verify" && command !== "dump")
    problems.push(`"${command}" is no command: there are stat, verify and dump`);
  else if (directory === "") problems.push(`${command} needs the directory of a log`);
  if (extra !== undefined) problems.push(`one directory at a time: what is "${extra}"?`);
  if (command !== "dump")
    for (const name of ["from", "count", "hex"] as const)
      if (given.has(name)) problems.push(`--${name} belongs to dump`);
  if (problems.length > 0) throw new UsageError(problems.join("\n"));
  const { from, count: countMax = Infinity, hex: isHex, json: isJson } = flags;
  if (command === "dump") return { command, directory, isJson, from, countMax, isHex };
  return { command: command as "stat" | "verify", directory, isJson };
}
