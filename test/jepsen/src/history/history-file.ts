/**
 * Histories as files, an event to a line.
 *
 * As JSON, for this suite and for any script:
 *
 *     {"index":0,"time":1200345,"type":"invoke","process":3,"f":"append","value":17}
 *
 * EDN is in edn-line.ts.
 *
 * `time` is in nanoseconds since the test began; `process` is a number or, of faults, `nemesis`;
 * `error` is there if an operation was not done, or nobody knows. What values are for is said by
 * each workload's check.
 */

import { EVENT_TYPES, type EventType, type HistoryEvent, type Value } from "./history-event.ts";
import { HistoryError } from "./operations.ts";

/** Without an end of line. */
export function toJsonLine(event: HistoryEvent): string {
  const { index, timeNs: time, type, process, action: f, value, error } = event;
  return JSON.stringify({ index, time, type, process, f, value, error });
}

/**
 * @param number - Of the line, for who is told of it; from 1 on.
 * @throws HistoryError which names the line, and what it should have been
 */
export function parseLine(line: string, number: number): HistoryEvent {
  let read: unknown;
  try {
    read = JSON.parse(line);
  } catch (cause) {
    throw new HistoryError(`line ${number} is no JSON`, { cause });
  }
  if (typeof read !== "object" || read === null)
    throw new HistoryError(`line ${number} is no event: {"index":0,"time":0,"type":"invoke",...}`);
  const { index, time, type, process, f, value = null, error } = read as Record<string, unknown>;
  const demand = (isSo: boolean, field: string, wanted: string): void => {
    if (!isSo) throw new HistoryError(`line ${number}: "${field}" should be ${wanted}`);
  };
  demand(isCount(index), "index", "a number from 0 on");
  demand(isCount(time), "time", "nanoseconds, from 0 on");
  demand(EVENT_TYPES.includes(type as EventType), "type", EVENT_TYPES.join(", "));
  demand(isCount(process) || process === "nemesis", "process", 'a number from 0 on, or "nemesis"');
  demand(typeof f === "string" && f !== "", "f", "what was asked for");
  demand(isValue(value), "value", "null, a boolean, a number, a text, or a list of such");
  demand(error === undefined || typeof error === "string", "error", "a text");
  return {
    index: index as number,
    timeNs: time as number,
    type: type as EventType,
    process: process as number | "nemesis",
    action: f as string,
    value: value as Value,
    ...(typeof error === "string" ? { error } : {}),
  };
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isValue(value: unknown): boolean {
  if (Array.isArray(value)) return value.every((each) => isValue(each));
  return value === null || ["boolean", "number", "string"].includes(typeof value);
}
