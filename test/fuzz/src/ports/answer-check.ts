/** Whatever a port says to nonsense is an error that tells a program what to do next. */

import { Advice, ErrorDetail, Outcome } from "@quorumlog/protocol/messages";
import { demand } from "../finding.ts";
import type { RawAnswer } from "./raw-call.ts";
import type { Sample } from "./sample-requests.ts";

const OK = 0;
/**
 * What gRPC itself says, before there is a request: it was given up (1), timed out (4), too large
 * (8), of no method, twice, or in an unknown encoding (12).
 */
const OF_GRPC = new Set([1, 4, 8, 12]);
const INTERNAL = 13;
/** The checksum of gzip: a frame that was damaged, not a request. */
const UNPACKING = "decompress";

/** @throws Finding */
export function checkAnswer(sample: Sample, answer: RawAnswer): void {
  const { status, statusMessage, trailer, messages } = answer;
  for (const message of messages)
    for (const error of sample.errorsIn?.(message) ?? []) checkError(sample.path, error);
  // The libraries behind health and reflection have statuses of their own.
  if (status === undefined || status === OK || sample.path.startsWith("/grpc.")) return;
  if (trailer !== undefined) {
    checkError(sample.path, ErrorDetail.decode(trailer));
    return;
  }
  const isOfGrpc =
    OF_GRPC.has(status) || (status === INTERNAL && statusMessage.includes(UNPACKING));
  demand(isOfGrpc, `${sample.path}: status ${status}, "${statusMessage}", says nothing more`);
}

function checkError(path: string, error: ErrorDetail.$Properties | null | undefined): void {
  const code = error?.code ?? "";
  if (error === null || error === undefined || code === "") return;
  demand(code !== "FAILED", `${path}: a defect: ${error.message}`);
  const isWhole =
    error.outcome !== Outcome.OUTCOME_UNSPECIFIED && error.advice !== Advice.ADVICE_UNSPECIFIED;
  demand(isWhole, `${path}: ${code} has no outcome, or no advice`);
}
