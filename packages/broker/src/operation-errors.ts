/** What the packages below say went wrong, as it is said to clients. */

import { LogError } from "@quorumlog/log";
import { type ErrorCode, OperationError } from "@quorumlog/protocol";
import { ReplicaError, type ReplicaErrorCode } from "@quorumlog/replica";

const CODES: Readonly<Partial<Record<ReplicaErrorCode, ErrorCode>>> = {
  NOT_LEADER: "NOT_LEADER",
  LEADERSHIP_LOST: "LEADERSHIP_LOST",
  OVERLOADED: "OVERLOADED",
  DISK_FULL: "DISK_FULL",
  TIMEOUT: "TIMEOUT",
  ABORTED: "ABORTED",
  INVALID_ARGUMENT: "INVALID_ARGUMENT",
  MEMBERSHIP_REFUSED: "MEMBERSHIP_REFUSED",
  CLOSED: "CLOSED",
  FAILED: "FAILED",
};

/** Who leads the group, as this node knows. */
export interface LeaderView {
  readonly groupId: number;
  readonly term: number;
  readonly leaderId: number | undefined;
  /** Where clients reach a node; empty if that is not known. */
  readonly addressOf: (nodeId: number) => string;
}

/** What is damaged may be repaired by then. */
const DAMAGE_RETRY_MS = 1_000;

/** @returns what it is; an error that is none of a replica's is thrown again. */
export function operationErrorOf(error: unknown, leader: LeaderView): OperationError {
  if (error instanceof OperationError) return error;
  if (error instanceof LogError) return unreadable(error);
  if (!(error instanceof ReplicaError)) throw error;
  const { message, outcome, retryAfterMs } = error;
  const code = CODES[error.code] ?? "FAILED";
  const { groupId, term, leaderId, addressOf } = leader;
  const nodeId = error.leaderId ?? leaderId ?? 0;
  const hint = { groupId, term, nodeId, address: addressOf(nodeId) };
  return new OperationError(code, message, {
    outcome,
    cause: error,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(code === "NOT_LEADER" && hint.nodeId !== 0 ? { leader: hint } : {}),
  });
}

/** A part of the log is not what was written; all the rest can be read. */
export function isDamage(error: unknown): boolean {
  return error instanceof LogError && error.code === "LOG_CORRUPT";
}

/** Whoever writes is told of a disk's failure by the replica: this one has met a read. */
function unreadable(cause: LogError): OperationError {
  return new OperationError("FAILED", cause.message, {
    outcome: "not-applied",
    retryAfterMs: isDamage(cause) ? DAMAGE_RETRY_MS : 0,
    cause,
  });
}
