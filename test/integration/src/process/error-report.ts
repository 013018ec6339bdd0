/** An error, as far as it can be told to another process. */

import type { InvariantViolation } from "@quorumlog/std";

export interface ErrorReport {
  readonly name: string;
  readonly message: string;
  readonly code?: string | undefined;
  /** Whether a request took effect: `not-applied`, or `unknown`. */
  readonly outcome?: string | undefined;
  readonly leaderId?: number | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly file?: string | undefined;
  /** In bytes, in the file. */
  readonly offset?: number | undefined;
  readonly cause?: ErrorReport | undefined;
}

const BROKEN: InvariantViolation["name"] = "InvariantViolation";

export function reportOf(error: unknown): ErrorReport {
  const fields = (error instanceof Error ? error : new Error(String(error))) as Error &
    Partial<Record<keyof ErrorReport, unknown>>;
  return {
    name: fields.name,
    message: fields.message,
    code: textOf(fields.code),
    outcome: textOf(fields.outcome),
    leaderId: numberOf(fields.leaderId),
    retryAfterMs: numberOf(fields.retryAfterMs),
    file: textOf(fields.file),
    offset: numberOf(fields.offset),
    cause: fields.cause === undefined ? undefined : reportOf(fields.cause),
  };
}

/** With all that is behind it. */
export function describeReport({ name, code, message, cause }: ErrorReport): string {
  const behind = cause === undefined ? "" : ` <- ${describeReport(cause)}`;
  return `${name}${code === undefined ? "" : ` ${code}`}: ${message}${behind}`;
}

/** An assertion did not hold; or that is behind it. */
export function isBrokenInvariant({ name, cause }: ErrorReport): boolean {
  return name === BROKEN || (cause !== undefined && isBrokenInvariant(cause));
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
