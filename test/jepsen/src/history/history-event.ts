/**
 * What a test has asked a cluster for, and what it was told: a list of events in the order in which
 * they came about.
 *
 *     invoke ──┬──> ok     it was done, with this result
 *              ├──> fail   it was not done, and never will be
 *              └──> info   nobody knows: it may have been done, or be done later, or never
 *
 * A process is one thread of a client: it has one operation at a time, and after an `info` it is
 * over, as what it asked for may still be under way; whoever goes on in its place has another
 * number. An `invoke` without an end is an `info`.
 */

export const EVENT_TYPES = ["invoke", "ok", "fail", "info"] as const;

export type EventType = (typeof EVENT_TYPES)[number];

/**
 * An event of the `nemesis` at the very end: the cluster was whole, and clients have read until
 * they had seen everything. Without it, what nobody has read is not known to be lost.
 */
export const DRAINED = "drained";

/** What can be written as JSON and as EDN, and read back. */
export type Value = null | boolean | number | string | readonly Value[];

export interface HistoryEvent {
  /** Counts from 0. */
  readonly index: number;
  /** Since the test began, by a clock that never goes back: nanoseconds. */
  readonly timeNs: number;
  readonly type: EventType;
  /** Of faults: `nemesis`. */
  readonly process: number | "nemesis";
  /** What is asked for: `read`, `write`, `append`, and so on. */
  readonly action: string;
  /** With what, or what was the result. */
  readonly value: Value;
  /** Of a `fail` or an `info`: why, as a code. */
  readonly error?: string;
}

/** An operation: where it begins and where it ends. */
export interface Operation {
  readonly invoke: HistoryEvent;
  /** `undefined`: the test was over first. */
  readonly completion: HistoryEvent | undefined;
}

/** @returns what became of it. */
export function outcomeOf({ completion }: Operation): "ok" | "fail" | "info" {
  const type = completion?.type ?? "info";
  return type === "invoke" ? "info" : type;
}

/** @returns whether clients have seen everything in the end. */
export function isDrained(events: readonly HistoryEvent[]): boolean {
  return events.some(({ process, action }) => process === "nemesis" && action === DRAINED);
}
