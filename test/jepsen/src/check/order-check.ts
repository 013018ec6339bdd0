/**
 * The `ordered` workload: messages of one group are consumed in the order in which they were
 * published, whoever consumes them.
 *
 *     publish  [group, id]    ok: [group, id, queue, offset]
 *     consume  null           ok: [[group, id, queue, offset], ...], one after another
 *
 * The order is that of their offsets. A message may be delivered again, with those behind it, when
 * its consumer was gone before it had committed; but the first delivery of each comes behind the
 * first one of all before it, and a client's own publishes are stored in their order.
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
  /** What a client has published later is stored earlier. */
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

export function checkOrder(operations: readonly Operation[]): OrderResult {
  const anomalies: Anomaly<OrderAnomalyKind>[] = [];
  const queueOf = new Map<string, Stored>();
  const lastPublished = new Map<string, Stored>();
  const furthest = new Map<string, Stored>();
  const delivered = new Set<string>();
  for (const event of answersOf(operations)) {
    for (const stored of storedIn(event)) {
      const { group, queue } = stored;
      const known = queueOf.get(group) ?? stored;
      queueOf.set(group, known);
      if (known.queue !== queue)
        anomalies.push(anomaly("group-spread", known, stored, `queue ${queue} as well`));
    }
    if (event.action === "publish") {
      const [stored] = storedIn(event) as [Stored];
      const key = `${event.process} ${stored.group}`;
      const former = lastPublished.get(key);
      lastPublished.set(key, stored);
      if (former !== undefined && former.queue === stored.queue && former.offset > stored.offset)
        anomalies.push(anomaly("nonmonotonic-publish", former, stored, "published after it"));
    } else
      for (const stored of storedIn(event)) {
        const place = `${stored.queue} ${stored.offset}`;
        if (delivered.has(place)) continue;
        delivered.add(place);
        const before = furthest.get(stored.group);
        if (before === undefined || before.offset < stored.offset)
          furthest.set(stored.group, stored);
        else anomalies.push(anomaly("out-of-order", before, stored, "delivered after it"));
      }
  }
  return { anomalies, groups: queueOf.size, consumed: delivered.size };
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
