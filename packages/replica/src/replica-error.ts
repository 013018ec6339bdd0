/**
 * What can go wrong with a call. Codes are API; messages are for people.
 *
 * Each error says what became of what was asked for, and what to do next. A broken invariant is
 * none of these: it is an `InvariantViolation`, and stops the replica.
 */

import { InvariantViolation } from "@quorumlog/std";

export type ReplicaErrorCode =
  /** Another node leads, or none is known: `leaderId` says which. */
  | "NOT_LEADER"
  /** Too much waits already: see `retryAfterMs`. */
  | "OVERLOADED"
  /** A disk of the group has too little room: trim, or make some. Reads and trims go on. */
  | "DISK_FULL"
  /** It was not over in time. */
  | "TIMEOUT"
  /** The caller's signal said so. */
  | "ABORTED"
  /** Another entry was committed in its place. */
  | "LEADERSHIP_LOST"
  /** The log does not end where the caller said: `nextOffset` says where it does. */
  | "OFFSET_MISMATCH"
  /** No such session; or nothing was heard of it for too long. */
  | "SESSION_EXPIRED"
  /** A sequence number that is not the next one of its session. */
  | "SEQUENCE_GAP"
  /** Of an append from so long ago that what became of it is forgotten. */
  | "SEQUENCE_TOO_OLD"
  /** What is asked for was trimmed away: `firstOffset` says what is left. */
  | "TRIMMED"
  /** What is asked for is not there yet, or not here: the log ends at `nextOffset`. */
  | "BEYOND_END"
  /** The group exists, and knows this node by another disk: replace the node. */
  | "DISK_LOST"
  /** Founders have agreed on disks of which one was lost, or on others: see the message. */
  | "FOUNDING_CONFLICT"
  /** The change of membership does not fit. */
  | "MEMBERSHIP_REFUSED"
  /** An argument or an option is not what it has to be: the message names it and the bound. */
  | "INVALID_ARGUMENT"
  /** It was closed. */
  | "CLOSED"
  /** The disk or the program failed, and the replica has stopped: see `cause`. */
  | "FAILED";

/** Whether what was asked for may have happened. */
export type Outcome = "not-applied" | "unknown";

export interface ReplicaErrorDetails {
  readonly outcome?: Outcome;
  readonly leaderId?: number | undefined;
  readonly retryAfterMs?: number;
  readonly firstOffset?: number;
  readonly nextOffset?: number;
  readonly file?: string | undefined;
  /** In bytes, from the start of the file. */
  readonly offset?: number | undefined;
  readonly cause?: unknown;
}

export class ReplicaError extends Error {
  override readonly name = "ReplicaError";
  readonly code: ReplicaErrorCode;
  readonly outcome: Outcome;
  readonly leaderId: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly firstOffset: number | undefined;
  readonly nextOffset: number | undefined;
  /** What is damaged, if that is what went wrong. */
  readonly file: string | undefined;
  readonly offset: number | undefined;

  constructor(code: ReplicaErrorCode, message: string, details: ReplicaErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.outcome = details.outcome ?? "not-applied";
    this.leaderId = details.leaderId;
    this.retryAfterMs = details.retryAfterMs;
    this.firstOffset = details.firstOffset;
    this.nextOffset = details.nextOffset;
    this.file = details.file;
    this.offset = details.offset;
  }
}

export function notLeader(leaderId: number | undefined): ReplicaError {
  const message =
    leaderId === undefined
      ? "this node does not lead, and knows of no leader: try again in a moment"
      : `this node does not lead: ask node ${leaderId}`;
  return flowControl("NOT_LEADER", message, { leaderId });
}

/**
 * An error of which there may be thousands a second, as when everybody is told to come back later:
 * it has no stack, which costs more than the call would have, and so would keep a node overloaded.
 */
export function flowControl(
  code: ReplicaErrorCode,
  message: string,
  details: ReplicaErrorDetails,
): ReplicaError {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return new ReplicaError(code, message, details);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Why a replica that stopped refuses whatever comes. */
export function failedWith(cause: Error): ReplicaError {
  const what = cause instanceof InvariantViolation ? "a broken invariant" : "a failure";
  return new ReplicaError("FAILED", `the replica was stopped by ${what}: ${cause.message}`, {
    cause,
  });
}

/** @throws ReplicaError `ABORTED`, `INVALID_ARGUMENT`: nothing was begun. */
export function demandNotAborted(signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  // Found later, it would be a TypeError of a call that has been sent.
  if (typeof (signal as Partial<AbortSignal> | null)?.addEventListener !== "function")
    throw new ReplicaError("INVALID_ARGUMENT", "signal: it is no AbortSignal");
  if (!signal.aborted) return;
  throw new ReplicaError("ABORTED", "the caller's signal was aborted", { cause: signal.reason });
}

/** A node that cannot keep its promises. */
export function lostTail(lastIndex: number, acknowledged: number): ReplicaError {
  return new ReplicaError(
    "DISK_LOST",
    `the log ends at index ${lastIndex}, and this node has acknowledged ${acknowledged}: its ` +
      "disk has lost what was synced. Keep the directory for a look, and replace the node",
  );
}

/** What ended the wait for something that was begun, and may yet happen. */
export function withUnknownOutcome(error: unknown): unknown {
  if (!(error instanceof ReplicaError) || error.outcome === "unknown") return error;
  const { code, message, leaderId, retryAfterMs } = error;
  const details = { outcome: "unknown", leaderId, cause: error } as const;
  return new ReplicaError(
    code,
    message,
    retryAfterMs === undefined ? details : { ...details, retryAfterMs },
  );
}

export function closed(): ReplicaError {
  return new ReplicaError("CLOSED", "the replica was closed");
}
