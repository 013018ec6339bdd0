/** What an error says of one attempt, and an earlier one has not been answered. */

import { OperationError } from "@quorumlog/protocol";

/** Nobody knows whether it was done. */
export function asUnknown(error: OperationError): OperationError {
  if (error.outcome === "unknown") return error;
  const { code, message, retryAfterMs, problems, leader, range } = error;
  return new OperationError(code, `${message} (an earlier attempt may have been done)`, {
    outcome: "unknown",
    retryAfterMs,
    problems,
    ...(leader === undefined ? {} : { leader }),
    ...(range === undefined ? {} : { range }),
    cause: error,
  });
}
