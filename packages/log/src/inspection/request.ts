/** What the command line asks for. */

import { parseArgs } from "node:util";

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
  --json         for programs: one object, of dump one for each frame
  --help         print this

Exit code: 0 if all is well, a torn tail included, which is what a crash leaves and the next start
cuts; 1 if the log is damaged or cannot be read; 2 for a wrong flag, or if a live process has it.
`;

const OPTIONS = {
  from: { type: "string" },
  count: { type: "string" },
  hex: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

type Arguments = ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>;

/** @throws {@link UsageError} that names the first thing that makes no sense. */
export function parseRequest(argv: readonly string[]): InspectionRequest {
  const { values, positionals } = argumentsOf(argv);
  if (values.help === true || positionals[0] === "help") return { command: "help" };
  const [command, directory, extra] = positionals;
  if (command === undefined) throw new UsageError("no command: stat, verify or dump");
  if (command !== "stat" && command !== "verify" && command !== "dump")
    throw new UsageError(`"${command}" is no command: there are stat, verify and dump`);
  if (directory === undefined || directory === "")
    throw new UsageError(`${command} needs the directory of a log`);
  if (extra !== undefined) throw new UsageError(`one directory at a time: what is "${extra}"?`);
  const isJson = values.json ?? false;
  if (command === "dump") {
    const from = values.from === undefined ? undefined : asPositive("from", values.from);
    const countMax = values.count === undefined ? Infinity : asPositive("count", values.count);
    return { command, directory, isJson, from, countMax, isHex: values.hex ?? false };
  }
  for (const name of ["from", "count", "hex"] as const)
    if (values[name] !== undefined) throw new UsageError(`--${name} belongs to dump`);
  return { command, directory, isJson };
}

function argumentsOf(argv: readonly string[]): Arguments {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    // Its first sentence says which flag; the others are advice about positional arguments.
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(message.split(/\.?(?:\n| To specify)/)[0] ?? message, { cause: error });
  }
}

function asPositive(name: string, text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= 1) return value;
  const most = Number.MAX_SAFE_INTEGER;
  throw new UsageError(`--${name}: "${text}" is not an integer from 1 to ${most}`);
}
