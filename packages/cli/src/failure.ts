/** How a command that has failed says so, and which exit code it has. */

import { OperationError } from "@quorumlog/protocol";
import { UsageError } from "./settings.ts";

export const EXIT = { done: 0, failed: 1, usage: 2, defect: 70 } as const;

/** Signals by which a command is told to end. */
const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;

export type EndSignal = keyof typeof SIGNAL_NUMBERS;

/** As a shell says of whatever such a signal has ended. */
export function exitCodeOf(signal: EndSignal): number {
  return 128 + SIGNAL_NUMBERS[signal];
}

export interface Failure {
  readonly exitCode: number;
  /** For people, and for programs, an object. */
  readonly lines: readonly string[];
  readonly detail: object;
}

/** On stderr: an object on a line, or lines for people. */
export function tellFailure(
  isJson: boolean,
  { lines, detail }: Pick<Failure, "lines" | "detail">,
): void {
  if (isJson) console.error(JSON.stringify(detail));
  else for (const line of lines) console.error(`quorumlog: ${line}`);
}

/** What is no operating error is a defect, and told with its stack. */
export function failureOf(error: unknown): Failure {
  if (error instanceof UsageError) return usageFailure(error.problems);
  if (error instanceof OperationError) return operationFailure(error);
  const { code, message, problems, stack } = error as {
    readonly code?: unknown;
    readonly message?: string;
    readonly problems?: unknown;
    readonly stack?: string;
  };
  // Options of a replica or its transport: what was asked for, by other names.
  if (Array.isArray(problems)) return usageFailure(problems.map(String));
  if (typeof code === "string" && code !== "" && !code.startsWith("ERR_")) {
    const detail = { error: { code, message } };
    const exitCode = code === "INVALID_ARGUMENT" ? EXIT.usage : EXIT.failed;
    const text = message?.startsWith(`${code}: `) === true ? message : `${code}: ${message}`;
    const hint = HINTS[code];
    return { exitCode, lines: hint === undefined ? [text] : [text, hint], detail };
  }
  const detail = { error: { code: "DEFECT", message } };
  return { exitCode: EXIT.defect, lines: [stack ?? String(error)], detail };
}

function usageFailure(problems: readonly string[]): Failure {
  return { exitCode: EXIT.usage, lines: problems, detail: { error: { code: "USAGE", problems } } };
}

function operationFailure(error: OperationError): Failure {
  const { code, message, outcome, advice, problems, cause } = error;
  const said = plainText(message);
  const lines = [`${code}: ${said}`];
  // That the time was over says nothing of why, once more.
  const says = cause instanceof OperationError && (code !== "TIMEOUT" || cause.code !== code);
  const because = says ? plainText(cause.message) : undefined;
  if (because !== undefined && !said.includes(because)) lines.push(`because: ${because}`);
  if (outcome === "unknown" && code !== "TIMEOUT" && code !== "UNAVAILABLE")
    lines.push("whether it was done is not known");
  // Whoever has answered is there: what it said is what there is to do something about.
  const hint = HINTS[cause instanceof OperationError ? cause.code : code] ?? HINTS[code];
  if (hint !== undefined) lines.push(hint);
  return {
    exitCode: code === "INVALID_ARGUMENT" ? EXIT.usage : EXIT.failed,
    lines,
    detail: { error: { code, message, because, outcome, advice, problems } },
  };
}

/** Without the ends of lines, and of notes, that the library for gRPC leaves in its words. */
function plainText(message: string): string {
  return message
    .replaceAll(/\s+/gu, " ")
    .replace(/ ?Resolution note: ?$/u, "")
    .trim();
}

/** What a person does next, by codes. */
const HINTS: Readonly<Record<string, string>> = {
  DISK_FULL: "`df` on that node's machine; docs/operations.md, A broker's disk",
  DISK_LOST: "`quorumlog help cluster replace`: a new node, under a new id, takes its place",
  LISTEN_FAILED: "does another process listen there, or this very one? `ss -ltnp` tells which",
  LOG_CORRUPT: "`quorumlog log verify` shows it; docs/operations.md, A damaged log",
  LOG_FOREIGN: "files of two logs are mixed: `quorumlog log stat` tells whose a log is",
  LOG_MISSING: "is the disk mounted? If the log is lost: `quorumlog help cluster replace`",
  LOG_SEGMENT_MISSING: "`quorumlog log verify` shows it; docs/operations.md, A damaged log",
  NOT_LEADER: "`quorumlog cluster status` tells who is up: most nodes of the group have to be",
  RULES_VERSION: "the version that wrote it reads it: docs/operations.md, A new version",
  STATE_VERSION: "the version that wrote it reads it: docs/operations.md, A new version",
  TIMEOUT:
    "`quorumlog cluster status` tells who is up, if --name-servers (and --tls-...) are right",
  UNAVAILABLE: "is the cluster running, and are --name-servers (and --tls-...) those of it?",
  UNKNOWN_TOPIC: "`quorumlog topic list` tells which there are",
};
