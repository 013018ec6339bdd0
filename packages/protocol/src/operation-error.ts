/**
 * What can go wrong with a request: the same codes on every port, and in the client's API.
 *
 * A code is stable; messages are for people and may change. The outcome is what a program needs
 * most: `not-applied` never happened and never will, `unknown` may have happened, or may yet.
 */

import { Metadata as GrpcMetadata, status } from "@grpc/grpc-js";
import { Advice, ErrorDetail, Outcome as WireOutcome } from "../generated/messages.js";

export type OperationOutcome = "not-applied" | "unknown";
export type OperationAdvice = "retry-here" | "retry-elsewhere" | "do-not-retry";

interface Traits {
  /** Of gRPC, for those who know no better. */
  readonly grpcStatus: status;
  readonly outcome: OperationOutcome;
  readonly advice: OperationAdvice;
}

const refused: Traits = {
  grpcStatus: status.INVALID_ARGUMENT,
  outcome: "not-applied",
  advice: "do-not-retry",
};

/** One row for each code. `outcome` is the usual one; an error may know better. */
export const ERROR_TRAITS = {
  // What was asked for cannot be.
  INVALID_ARGUMENT: refused,
  // What was asked for fits: the port is taken, or its address is none of this machine.
  LISTEN_FAILED: { ...refused, grpcStatus: status.UNAVAILABLE },
  INVALID_BATCH: refused,
  UNDECODABLE: { ...refused, grpcStatus: status.DATA_LOSS },
  MESSAGE_TOO_LARGE: refused,
  MESSAGE_TYPE_MISMATCH: { ...refused, grpcStatus: status.FAILED_PRECONDITION },
  UNKNOWN_TOPIC: { ...refused, grpcStatus: status.NOT_FOUND },
  UNKNOWN_QUEUE: { ...refused, grpcStatus: status.NOT_FOUND },
  TOPIC_EXISTS: { ...refused, grpcStatus: status.ALREADY_EXISTS },
  TOPIC_NOT_WRITABLE: { ...refused, grpcStatus: status.PERMISSION_DENIED },
  TOPIC_NOT_READABLE: { ...refused, grpcStatus: status.PERMISSION_DENIED },
  QUEUE_COUNT_REFUSED: { ...refused, grpcStatus: status.FAILED_PRECONDITION },
  OFFSET_OUT_OF_RANGE: { ...refused, grpcStatus: status.OUT_OF_RANGE },
  // Of these, an earlier attempt may have been stored, and be forgotten.
  STALE_PRODUCER_EPOCH: { ...refused, grpcStatus: status.FAILED_PRECONDITION, outcome: "unknown" },
  UNKNOWN_PRODUCER: { ...refused, grpcStatus: status.FAILED_PRECONDITION, outcome: "unknown" },
  SEQUENCE_TOO_OLD: { ...refused, grpcStatus: status.FAILED_PRECONDITION, outcome: "unknown" },
  SEQUENCE_GAP: { ...refused, grpcStatus: status.FAILED_PRECONDITION },
  SUBSCRIPTION_MISMATCH: { ...refused, grpcStatus: status.FAILED_PRECONDITION },
  STALE_EPOCH: { ...refused, grpcStatus: status.FAILED_PRECONDITION },
  STALE_FENCING_TOKEN: { ...refused, grpcStatus: status.FAILED_PRECONDITION },
  UNKNOWN_GROUP: { ...refused, grpcStatus: status.NOT_FOUND },
  GROUP_IN_USE: { ...refused, grpcStatus: status.FAILED_PRECONDITION },
  NOT_ASSIGNED: { ...refused, grpcStatus: status.FAILED_PRECONDITION },
  MEMBERSHIP_REFUSED: { ...refused, grpcStatus: status.FAILED_PRECONDITION },
  REPLACED: { ...refused, grpcStatus: status.FAILED_PRECONDITION },
  TOO_MANY: { ...refused, grpcStatus: status.RESOURCE_EXHAUSTED },
  UNAUTHENTICATED: { ...refused, grpcStatus: status.UNAUTHENTICATED },
  // Somebody else can do it.
  NOT_LEADER: {
    grpcStatus: status.UNAVAILABLE,
    outcome: "not-applied",
    advice: "retry-elsewhere",
  },
  WRONG_GROUP: {
    grpcStatus: status.FAILED_PRECONDITION,
    outcome: "not-applied",
    advice: "retry-elsewhere",
  },
  LEADERSHIP_LOST: {
    grpcStatus: status.UNAVAILABLE,
    outcome: "unknown",
    advice: "retry-elsewhere",
  },
  UNAVAILABLE: { grpcStatus: status.UNAVAILABLE, outcome: "unknown", advice: "retry-elsewhere" },
  CLOSED: { grpcStatus: status.UNAVAILABLE, outcome: "unknown", advice: "retry-elsewhere" },
  FAILED: { grpcStatus: status.INTERNAL, outcome: "unknown", advice: "retry-elsewhere" },
  // Later.
  OVERLOADED: {
    grpcStatus: status.RESOURCE_EXHAUSTED,
    outcome: "not-applied",
    advice: "retry-here",
  },
  DISK_FULL: {
    grpcStatus: status.RESOURCE_EXHAUSTED,
    outcome: "not-applied",
    advice: "retry-here",
  },
  QUEUE_LEASED: { grpcStatus: status.UNAVAILABLE, outcome: "not-applied", advice: "retry-here" },
  NOT_READY: { grpcStatus: status.UNAVAILABLE, outcome: "not-applied", advice: "retry-here" },
  TIMEOUT: { grpcStatus: status.DEADLINE_EXCEEDED, outcome: "unknown", advice: "retry-here" },
  ABORTED: { grpcStatus: status.CANCELLED, outcome: "unknown", advice: "do-not-retry" },
} as const satisfies Readonly<Record<string, Traits>>;

export type ErrorCode = keyof typeof ERROR_TRAITS;

export interface OperationErrorDetails {
  /** If it is not the code's usual one. */
  readonly outcome?: OperationOutcome;
  /** Before that the same request fails again, in milliseconds. */
  readonly retryAfterMs?: number;
  /** Of `NOT_LEADER`, if it is known. */
  readonly leader?: LeaderHint;
  /**
   * Of `OFFSET_OUT_OF_RANGE`: `[firstOffset, nextOffset)` can be read; of `UNDECODABLE`: it cannot.
   */
  readonly range?: OffsetRange;
  /** Which fields do not fit, and why not. */
  readonly problems?: readonly FieldProblem[];
  /** Of the metadata that a topic or a queue was refused by. */
  readonly metadataVersion?: number;
  readonly cause?: unknown;
}

export interface LeaderHint {
  readonly groupId: number;
  readonly term: number;
  readonly nodeId: number;
  readonly address: string;
}

export interface OffsetRange {
  readonly firstOffset: number;
  readonly nextOffset: number;
}

export interface FieldProblem {
  readonly field: string;
  readonly problem: string;
}

export class OperationError extends Error {
  override readonly name = "OperationError";
  readonly code: ErrorCode;
  readonly outcome: OperationOutcome;
  readonly advice: OperationAdvice;
  /** 0: no advice. */
  readonly retryAfterMs: number;
  readonly leader: LeaderHint | undefined;
  readonly range: OffsetRange | undefined;
  readonly problems: readonly FieldProblem[];
  /** Of the metadata that a topic or a queue was refused by; 0: not told. */
  readonly metadataVersion: number;

  constructor(code: ErrorCode, message: string, details: OperationErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    const traits = ERROR_TRAITS[code];
    this.code = code;
    this.outcome = details.outcome ?? traits.outcome;
    this.advice = traits.advice;
    this.retryAfterMs = details.retryAfterMs ?? 0;
    this.leader = details.leader;
    this.range = details.range;
    this.problems = details.problems ?? [];
    this.metadataVersion = details.metadataVersion ?? 0;
  }
}

const OUTCOMES: Readonly<Record<OperationOutcome, WireOutcome>> = {
  "not-applied": WireOutcome.OUTCOME_NOT_APPLIED,
  unknown: WireOutcome.OUTCOME_UNKNOWN,
};
const ADVICES: Readonly<Record<OperationAdvice, Advice>> = {
  "retry-here": Advice.ADVICE_RETRY_HERE,
  "retry-elsewhere": Advice.ADVICE_RETRY_ELSEWHERE,
  "do-not-retry": Advice.ADVICE_DO_NOT_RETRY,
};
const TRAILER = "quorumlog-error-bin";

/** As it goes into an answer. */
export function errorDetail(error: OperationError): ErrorDetail.$Properties {
  const { code, message, outcome, advice, retryAfterMs, leader, range, problems } = error;
  const { metadataVersion } = error;
  return {
    code,
    message,
    outcome: OUTCOMES[outcome],
    advice: ADVICES[advice],
    retryAfterMs,
    leader: leader ?? null,
    range: range ?? null,
    problems: [...problems],
    metadataVersion,
  };
}

/** Of an answer; a code that is not known here, of a later version, is `FAILED` with its name. */
export function operationError(detail: ErrorDetail.$Properties): OperationError {
  const code = detail.code ?? "";
  const message = detail.message ?? "";
  const isKnown = isErrorCode(code);
  return new OperationError(isKnown ? code : "FAILED", isKnown ? message : `${code}: ${message}`, {
    outcome: detail.outcome === WireOutcome.OUTCOME_NOT_APPLIED ? "not-applied" : "unknown",
    retryAfterMs: detail.retryAfterMs ?? 0,
    metadataVersion: detail.metadataVersion ?? 0,
    ...(detail.leader ? { leader: leaderOf(detail.leader) } : {}),
    ...(detail.range ? { range: rangeOf(detail.range) } : {}),
    problems: (detail.problems ?? []).map(({ field, problem }) => ({
      field: field ?? "",
      problem: problem ?? "",
    })),
  });
}

/**
 * What ends a call goes out as headers, which are bounded: a message may quote what it is about,
 * and that may be long.
 */
const TRAILER_TEXT_MAX = 2_000;
const TRAILER_PROBLEMS_MAX = 20;
const TRAILER_PROBLEM_TEXT_MAX = 120;

/** By way of its bytes, in which half of a surrogate pair, as a cut may leave one, is a mark. */
function short(text: string, lengthMax: number): string {
  const cut = Buffer.from(text.slice(0, lengthMax)).toString();
  return text.length <= lengthMax ? cut : `${cut}...`;
}

function shortDetail(error: OperationError): ErrorDetail.$Properties {
  return {
    ...errorDetail(error),
    message: short(error.message, TRAILER_TEXT_MAX),
    problems: error.problems.slice(0, TRAILER_PROBLEMS_MAX).map(({ field, problem }) => ({
      field: short(field, TRAILER_PROBLEM_TEXT_MAX),
      problem: short(problem, TRAILER_PROBLEM_TEXT_MAX),
    })),
  };
}

/** How a unary call, or a whole stream, ends with it. */
export interface GrpcFailure {
  readonly code: status;
  readonly details: string;
  readonly metadata: GrpcMetadata;
}

export function grpcFailure(error: OperationError): GrpcFailure {
  const metadata = new GrpcMetadata();
  const detail = shortDetail(error);
  metadata.set(TRAILER, Buffer.from(ErrorDetail.encode(detail).finish()));
  return { code: ERROR_TRAITS[error.code].grpcStatus, details: detail.message ?? "", metadata };
}

/** Of a call that has failed, by an answer of ours or on its way. */
export function fromGrpcFailure(
  error: Partial<GrpcFailure> & { message?: string },
): OperationError {
  const [trailer] = error.metadata?.get(TRAILER) ?? [];
  const detail = trailer instanceof Buffer ? decoded(trailer) : undefined;
  if (detail !== undefined) return operationError(detail);
  const message = error.details ?? error.message ?? "the call failed";
  switch (error.code) {
    case status.CANCELLED:
      return new OperationError("ABORTED", message, { cause: error });
    case status.DEADLINE_EXCEEDED:
      return new OperationError("TIMEOUT", message, { cause: error });
    case status.INVALID_ARGUMENT:
      return new OperationError("INVALID_ARGUMENT", message, { cause: error });
    case status.UNAUTHENTICATED:
      return new OperationError("UNAUTHENTICATED", message, { cause: error });
    default:
      return new OperationError("UNAVAILABLE", message, { cause: error });
  }
}

function decoded(trailer: Buffer): ErrorDetail.$Properties | undefined {
  try {
    return ErrorDetail.decode(trailer);
  } catch {
    // Of somebody else's making; the status says what there is to say.
    return undefined;
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_TRAITS, code);
}

function leaderOf(hint: NonNullable<ErrorDetail.$Properties["leader"]>): LeaderHint {
  return {
    groupId: hint.groupId ?? 0,
    term: hint.term ?? 0,
    nodeId: hint.nodeId ?? 0,
    address: hint.address ?? "",
  };
}

function rangeOf(range: NonNullable<ErrorDetail.$Properties["range"]>): OffsetRange {
  return { firstOffset: range.firstOffset ?? 0, nextOffset: range.nextOffset ?? 0 };
}
