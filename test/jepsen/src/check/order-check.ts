/**
 * The `ordered` workload: messages of one group are consumed in the order in which they were
 * published, whoever consumes them.
 *
 *     publish  [group, id]    ok: [group, id, queue, offset]
 *     consume  null           ok: [[group, id, queue, offset], ...], one after another
 *
 * The order is that of their offsets. A message may be delivered again, with those behind it, when
 * its consumer was gone before it had committed; but the first delivery of each comes behind the
 * first one of all before it. And a message that was acknowledged before another one was published
 * is stored before that, whoever published them.
 */

import type { HistoryEvent, Operation, Value } from "../history/history-event.ts";
import { HistoryError } from "../history/operations.ts";
import { listOf, numberOf } from "../history/value-reader.ts";
import type { Anomaly } from "./anomaly.ts";

export type OrderAnomalyKind =
  /** Its first delivery is behind that of one that was stored later. */
  | "out-of-order"
  /** Two queues have messages of one group. */
  | "group-spread"
  /** It was published to one group, and consumed as one of another. */
  | "wrong-group"
  /** What was published later is stored earlier. */
  | "nonmonotonic-publish";

export interface OrderResult {
  readonly anomalies: readonly Anomaly<OrderAnomalyKind>[];
  readonly groups: number;
  readonly consumed: number;
}

interface Stored {
  readonly group: string;
  readonly id: Value;
  readonly queue: number;
  readonly offset: number;
  readonly event: number;
}

/** One that was acknowledged. */
interface Published extends Stored {
  readonly invokedAt: number;
}

export function checkOrder(operations: readonly Operation[]): OrderResult {
  const anomalies: Anomaly<OrderAnomalyKind>[] = [];
  const queueOf = new Map<string, Stored>();
  const furthest = new Map<string, Stored>();
  const delivered = new Set<string>();
  const groupOf = groupsAskedFor(operations);
  for (const event of answersOf(operations)) {
    for (const stored of storedIn(event)) {
      const { group, queue } = stored;
      const known = queueOf.get(group) ?? stored;
      queueOf.set(group, known);
      if (known.queue !== queue)
        anomalies.push(anomaly("group-spread", known, stored, `queue ${queue} as well`));
    }
    if (event.action === "publish") continue;
    for (const stored of storedIn(event)) {
      const place = `${stored.queue} ${stored.offset}`;
      if (delivered.has(place)) continue;
      delivered.add(place);
      const asked = groupOf.get(stored.id);
      if (asked !== undefined && asked !== stored.group) {
        const message = `${nameOf(stored)} was for group ${asked}, and is of ${stored.group}`;
        anomalies.push({ kind: "wrong-group", message, events: [stored.event] });
      }
      const before = furthest.get(stored.group);
      if (before === undefined || before.offset < stored.offset) furthest.set(stored.group, stored);
      else anomalies.push(anomaly("out-of-order", before, stored, "delivered after it"));
    }
  }
  anomalies.push(...storedEarlier(publishesOf(operations)));
  return { anomalies, groups: queueOf.size, consumed: delivered.size };
}

/** In the order of offsets: nobody may have been told before an earlier one was asked for. */
function storedEarlier(publishes: readonly Published[]): Anomaly<OrderAnomalyKind>[] {
  const anomalies: Anomaly<OrderAnomalyKind>[] = [];
  /** By queue, of those with lower offsets the one that was asked for last. */
  const latest = new Map<number, Published>();
  for (const published of publishes.toSorted((a, b) => a.offset - b.offset)) {
    const { queue, invokedAt, event } = published;
    const earlier = latest.get(queue);
    if (earlier !== undefined && event < earlier.invokedAt) {
      const [first, second] = [nameOf(published), nameOf(earlier)];
      const message = `${first} was acknowledged before ${second} was published`;
      const events = [event, earlier.event];
      anomalies.push({ kind: "nonmonotonic-publish", message, events });
    }
    if (earlier === undefined || invokedAt > earlier.invokedAt) latest.set(queue, published);
  }
  return anomalies;
}

/** By the id of a message, the group that it was published to. */
function groupsAskedFor(operations: readonly Operation[]): Map<Value, string> {
  const groups = new Map<Value, string>();
  for (const { invoke } of operations) {
    if (invoke.action !== "publish") continue;
    const [group, id = null] = listOf(invoke.value, invoke.index);
    groups.set(id, String(group));
  }
  return groups;
}

function publishesOf(operations: readonly Operation[]): Published[] {
  return operations.flatMap(({ invoke, completion }) => {
    if (invoke.action !== "publish" || completion?.type !== "ok") return [];
    return storedIn(completion).map((stored) => ({ ...stored, invokedAt: invoke.index }));
  });
}

function anomaly(
  kind: OrderAnomalyKind,
  former: Stored,
  { id, offset, event }: Stored,
  what: string,
): Anomaly<OrderAnomalyKind> {
  const of = `group ${former.group}: ${JSON.stringify(former.id)} at ${former.offset}`;
  const message = `${of}, and ${JSON.stringify(id)} at ${offset}, ${what}`;
  return { kind, message, events: [former.event, event] };
}

function nameOf({ id, queue, offset }: Stored): string {
  return `${JSON.stringify(id)} (queue ${queue}, offset ${offset})`;
}

function answersOf(operations: readonly Operation[]): HistoryEvent[] {
  return operations
    .flatMap(({ completion }) => (completion?.type === "ok" ? [completion] : []))
    .toSorted((a, b) => a.index - b.index);
}

function storedIn({ action, value, index }: HistoryEvent): Stored[] {
  if (action !== "publish" && action !== "consume")
    throw new HistoryError(`event ${index}: ordered queues know no ${action}`);
  const told = listOf(value, index);
  return (action === "publish" ? [told] : told).map((message) => {
    const [group, id = null, queue, offset] = listOf(message, index);
    return {
      group: String(group),
      id,
      queue: numberOf(queue, index),
      offset: numberOf(offset, index),
      event: index,
    };
  });
}
