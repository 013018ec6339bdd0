/**
 * Events as Jepsen's own tests would have recorded them, so that its checkers read them as is:
 *
 *     register         :read [k v], :write [k v], :cas [k [old new]]   cas-register, by key
 *     queue, ordered   :enqueue v, :drain [v ...]                      total-queue
 *     kafka            :send [[:send k [offset v]]],                   jepsen.tests.kafka
 *                      :poll [[:poll {k [[offset v] ...]}]], :assign [k ...]
 *
 * What a compare-and-set has found to be another value is a `:fail` there. Jepsen has no words for
 * logs that are read by offset, for places that a consumer seeks, and for committed offsets: these
 * are as in the JSON.
 */

import type { EventType, HistoryEvent, Value } from "./history-event.ts";

/** What differs from the event; `value` is EDN. */
interface Words {
  readonly type?: EventType;
  readonly f: string;
  readonly value: string;
}

/** By workload and by what was asked for. @returns `undefined` for what is not of that shape. */
const WORDS: Readonly<
  Record<string, Readonly<Record<string, (event: HistoryEvent) => Words | undefined>>>
> = {
  register: { compareAndSet: casOf },
  queue: { publish: (event) => enqueueOf(event, 0), consume: (event) => drainOf(event, 0) },
  ordered: { publish: (event) => enqueueOf(event, 1), consume: (event) => drainOf(event, 1) },
  kafka: { send: sendOf, poll: pollOf },
};

/** Without an end of line. */
export function toEdnLine(workload: string, event: HistoryEvent): string {
  const { index, timeNs, process, action, error } = event;
  const words = WORDS[workload]?.[action]?.(event);
  const { type = event.type, f, value } = words ?? { f: kebab(action), value: edn(event.value) };
  const fields = [
    `:index ${index}`,
    `:time ${timeNs}`,
    `:type :${type}`,
    `:process ${process === "nemesis" ? ":nemesis" : process}`,
    `:f :${f}`,
    `:value ${value}`,
    ...(error === undefined ? [] : [`:error :${kebab(error)}`]),
  ];
  return `{${fields.join(", ")}}`;
}

/** `[key, expected, value]`, and whether it was set. */
function casOf({ type, value }: HistoryEvent): Words | undefined {
  if (!isList(value)) return undefined;
  const [key = null, expected = null, next = null, wasSet] = value;
  const words = { f: "cas", value: `[${edn(key)} [${edn(expected)} ${edn(next)}]]` };
  return type === "ok" && wasSet === false ? { ...words, type: "fail" } : words;
}

/** Places of messages are not asked for. */
function enqueueOf({ value }: HistoryEvent, idAt: number): Words {
  return { f: "enqueue", value: edn(isList(value) ? (value[idAt] ?? null) : value) };
}

/** Of a consumer that is gone nothing is known to be taken: it is delivered again. */
function drainOf({ type, value }: HistoryEvent, idAt: number): Words {
  if (type !== "ok") return { type: type === "info" ? "fail" : type, f: "drain", value: "nil" };
  const ids = isList(value)
    ? value.map((each) => (isList(each) ? (each[idAt] ?? null) : each))
    : [];
  return { f: "drain", value: edn(ids) };
}

/** `[queue, value]`, and the offset. */
function sendOf({ type, value }: HistoryEvent): Words | undefined {
  if (!isList(value)) return undefined;
  const [queue = null, sent = null, offset = null] = value;
  const what = type === "ok" ? `[${edn(offset)} ${edn(sent)}]` : edn(sent);
  return { f: "send", value: `[[:send ${edn(queue)} ${what}]]` };
}

/** `[[queue, [[offset, value], ...]], ...]` */
function pollOf({ type, value }: HistoryEvent): Words {
  if (type !== "ok" || !isList(value)) return { f: "poll", value: "[[:poll]]" };
  const queues = value.map((each) => {
    const [queue = null, records = null] = isList(each) ? each : [];
    return `${edn(queue)} ${edn(records)}`;
  });
  return { f: "poll", value: `[[:poll {${queues.join(", ")}}]]` };
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** `compareAndAppend` becomes `compare-and-append`, `NOT_LEADER` `not-leader`. */
function kebab(name: string): string {
  return name
    .replaceAll(/([a-z])([A-Z])/gu, "$1-$2")
    .replaceAll(/[^A-Za-z0-9]+/gu, "-")
    .toLowerCase();
}

function edn(value: Value): string {
  if (value === null) return "nil";
  if (isList(value)) return `[${value.map((each) => edn(each)).join(" ")}]`;
  return JSON.stringify(value);
}
