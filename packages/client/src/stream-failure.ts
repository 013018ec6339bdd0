/** Why a call has ended that nobody here has ended. */

import { fromGrpcFailure, OperationError } from "@quorumlog/protocol";

/** A server that goes away may leave its calls cancelled: that is no wish of this client. */
export function streamFailure(error: unknown): OperationError {
  const failure = error instanceof OperationError ? error : fromGrpcFailure(error as Error);
  if (failure.code !== "ABORTED") return failure;
  return new OperationError("UNAVAILABLE", failure.message, { cause: error });
}
