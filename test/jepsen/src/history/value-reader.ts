/** Values of events as a workload expects them. */

import type { Value } from "./history-event.ts";
import { HistoryError } from "./operations.ts";

/** @throws HistoryError if it is none. */
export function listOf(value: Value, event: number): readonly Value[] {
  if (value === null || typeof value !== "object")
    throw new HistoryError(`event ${event}: its value is no list`);
  return value;
}

/** @throws HistoryError if it is none. */
export function numberOf(value: Value | undefined, event: number): number {
  if (typeof value !== "number") throw new HistoryError(`event ${event}: a value is no number`);
  return value;
}
