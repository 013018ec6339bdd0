/** What a workload's check comes to, from what it has found. */

import type { Anomaly } from "../check/anomaly.ts";
import { type Operation, outcomeOf } from "../history/history-event.ts";
import type { WorkloadVerdict } from "./workload.ts";

export interface Findings {
  readonly operations: readonly Operation[];
  readonly anomalies: readonly Anomaly[];
  /** Why something is not known, a sentence each. */
  readonly unknown?: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
  /** Actions without which nothing is shown. */
  readonly needed?: readonly string[];
}

/** So many operations have some of each that is needed. */
const OPERATIONS_MIN = 100;
/** Asked for so often, something should have been done once. */
const TRIES_MIN = 10;

/** An anomaly is one, whatever is not known; and what was never done has shown nothing. */
export function verdictOf({
  operations,
  anomalies,
  unknown = [],
  counts,
  needed = [],
}: Findings): WorkloadVerdict {
  const reasons = [...unknown, ...neverDone(operations), ...neverAsked(operations, needed)];
  return {
    valid: anomalies.length > 0 ? false : reasons.length > 0 ? "unknown" : true,
    anomalies,
    unknown: reasons,
    counts: { operations: operations.length, ...counts },
  };
}

function neverAsked(operations: readonly Operation[], needed: readonly string[]): string[] {
  if (operations.length < OPERATIONS_MIN) return [];
  const asked = new Set(operations.map(({ invoke }) => invoke.action));
  return needed
    .filter((action) => !asked.has(action))
    .map((action) => `${action} was never asked for, in ${operations.length} operations`);
}

function neverDone(operations: readonly Operation[]): string[] {
  const tries = new Map<string, number>();
  const done = new Set<string>();
  for (const operation of operations) {
    const { action } = operation.invoke;
    tries.set(action, (tries.get(action) ?? 0) + 1);
    if (outcomeOf(operation) === "ok") done.add(action);
  }
  return [...tries]
    .filter(([action, count]) => count >= TRIES_MIN && !done.has(action))
    .map(([action, count]) => `${action} was asked for ${count} times, and never done`);
}
