/** What becomes of a batch after an error: one place that decides whether it is sent again. */

import type { OperationError } from "@quorumlog/protocol";
import type { OutgoingBatch } from "./outgoing-batch.ts";
import { asUnknown } from "./unknown-outcome.ts";

/**
 * Judges an error that is not about what came before the batch.
 *
 * @param isShared - The error is of a container with other batches, which may be the cause.
 * @returns `undefined` if the batch is to be sent again.
 */
export function finalError(
  batch: OutgoingBatch,
  error: OperationError,
  isShared: boolean,
): OperationError | undefined {
  const wasUncertain = batch.isUncertain;
  if (error.outcome === "unknown") batch.isUncertain = true;
  // Without a number it might be stored twice.
  if (batch.isUncertain && batch.producerId === 0) return asUnknown(error);
  if (error.advice !== "do-not-retry") return undefined;
  if (isShared) {
    batch.isAlone = true;
    return undefined;
  }
  // This attempt was refused, but one before it was not answered.
  return wasUncertain ? asUnknown(error) : error;
}
