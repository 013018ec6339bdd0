/** How a command that has failed says so, and which exit code it has. */

import { OperationError } from "@quorumlog/protocol";
import { UsageError } from "./settings.ts";

export const EXIT = { done: 0, failed: 1, usage: 2, defect: 70, interrupted: 130 } as const;

export interface Failure {
  readonly exitCode: number;
  /** For people, and for programs, an object. */
  readonly lines: readonly string[];
  readonly detail: object;
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
    return { exitCode, lines: [`${code}: ${message}`], detail };
  }
  const detail = { error: { code: "DEFECT", message } };
  return { exitCode: EXIT.defect, lines: [stack ?? String(error)], detail };
}

function usageFailure(problems: readonly string[]): Failure {
  return { exitCode: EXIT.usage, lines: problems, detail: { error: { code: "USAGE", problems } } };
}

function operationFailure(error: OperationError): Failure {
  const { code, message, outcome, advice, problems, cause } = error;
  const lines = [`${code}: ${message}`];
  if (cause instanceof OperationError) lines.push(`because: ${cause.message}`);
  if (outcome === "unknown" && code !== "TIMEOUT" && code !== "UNAVAILABLE")
    lines.push("whether it was done is not known");
  const hint = HINTS[code];
  if (hint !== undefined) lines.push(hint);
  return {
    exitCode: code === "INVALID_ARGUMENT" ? EXIT.usage : EXIT.failed,
    lines,
    detail: { error: { code, message, outcome, advice, problems } },
  };
}

const HINTS: Readonly<Record<string, string>> = {
  TIMEOUT: "is the cluster running, and are --name-servers (and --tls-...) those of it?",
  UNAVAILABLE: "is the cluster running, and are --name-servers (and --tls-...) those of it?",
  UNKNOWN_TOPIC: "`quorumlog topic list` tells which there are",
};
