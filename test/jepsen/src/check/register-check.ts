/**
 * The `register` workload: many registers, each of which has to look as if one client after another
 * had used it. What holds of each holds of all, so each is looked at by itself.
 *
 *     read           [key, null]               ok: [key, value or null]
 *     write          [key, value]
 *     compareAndSet  [key, expected, value]    ok: [key, expected, value, whether it was set]
 */

import { type Operation, outcomeOf, type Value } from "../history/history-event.ts";
import { HistoryError } from "../history/operations.ts";
import { listOf, numberOf } from "../history/value-reader.ts";
import {
  checkLinearizability,
  type LinearizabilityVerdict,
  type SearchLimits,
  type TimedCall,
} from "./linearizability.ts";
import { REGISTER_MODEL, type RegisterCall, type RegisterValue } from "./register-model.ts";

interface KeyCall {
  readonly operation: Operation;
  readonly timed: TimedCall<RegisterCall>;
}

export interface RegisterAnomaly {
  readonly key: number;
  /** Which must have taken effect by its end, and cannot have had its result. */
  readonly stuck: Operation;
  /** An order of others that is possible up to there, the newest last. */
  readonly before: readonly Operation[];
}

export interface RegisterResult {
  readonly anomalies: readonly RegisterAnomaly[];
  /** Keys of which the search found no end within its limits. */
  readonly unknown: readonly { readonly key: number; readonly why: string }[];
  readonly keys: number;
}

export function checkRegisters(
  operations: Iterable<Operation>,
  limits: SearchLimits,
): RegisterResult {
  const anomalies: RegisterAnomaly[] = [];
  const unknown: { key: number; why: string }[] = [];
  const byKey = callsByKey(operations);
  for (const [key, calls] of byKey) {
    const timed = calls.map((call) => call.timed);
    const verdict = checkLinearizability(REGISTER_MODEL, timed, limits);
    if (verdict.kind === "unknown") unknown.push({ key, why: verdict.why });
    if (verdict.kind === "violated") anomalies.push(anomalyOf(key, calls, verdict));
  }
  return { anomalies, unknown, keys: byKey.size };
}

function anomalyOf(
  key: number,
  calls: readonly KeyCall[],
  { prefix, stuck }: Extract<LinearizabilityVerdict, { kind: "violated" }>,
): RegisterAnomaly {
  const operationAt = (index: number): Operation => (calls[index] as KeyCall).operation;
  return { key, stuck: operationAt(stuck), before: prefix.map((index) => operationAt(index)) };
}

function callsByKey(operations: Iterable<Operation>): Map<number, KeyCall[]> {
  const byKey = new Map<number, KeyCall[]>();
  for (const operation of operations) {
    const outcome = outcomeOf(operation);
    if (outcome === "fail") continue;
    const [key, call] = callOf(operation);
    // Nobody knows what it found.
    if (call.action === "read" && outcome === "info") continue;
    const invokedAt = operation.invoke.index;
    const returnedAt = outcome === "ok" ? (operation.completion?.index ?? Infinity) : Infinity;
    const calls = byKey.get(key) ?? [];
    calls.push({ operation, timed: { call, invokedAt, returnedAt } });
    byKey.set(key, calls);
  }
  return byKey;
}

function callOf({ invoke, completion }: Operation): [key: number, call: RegisterCall] {
  const { action, index } = invoke;
  const asked = listOf(invoke.value, index);
  const isOk = completion?.type === "ok";
  const told = isOk ? listOf(completion.value, completion.index) : [];
  const [key, first, second] = asked;
  if (typeof key !== "number") throw new HistoryError(`event ${index}: its key is no number`);
  switch (action) {
    case "read":
      // What was not told may not pass for an empty register.
      if (isOk && told.length !== 2) throw new HistoryError(`event ${index}: what was read?`);
      return [key, { action, found: registerValue(told[1] ?? null, index) }];
    case "write":
      return [key, { action, value: numberOf(first, index) }];
    case "compareAndSet": {
      const hasSet = typeof told[3] === "boolean" ? told[3] : undefined;
      if (isOk && hasSet === undefined) throw new HistoryError(`event ${index}: was it set?`);
      const expected = registerValue(first ?? null, index);
      return [key, { action, expected, value: numberOf(second, index), hasSet }];
    }
    default:
      throw new HistoryError(`event ${index}: a register knows no ${action}`);
  }
}

function registerValue(value: Value, index: number): RegisterValue {
  return value === null ? null : numberOf(value, index);
}
