/** What stands between a replica and whoever listens to its events. */

import type { ReplicaEvent, ReplicaEventListener } from "./replica-event.ts";

const INTERVAL_MS = 10_000;

/**
 * A listener that throws is its owner's to hear of, and no reason to stop a replica. Of frames that
 * make no sense a peer may send thousands: they are told of now and then.
 *
 * @param now - In milliseconds, of a clock that never goes back.
 */
export function guardedListener(
  listener: ReplicaEventListener,
  now: () => number,
): ReplicaEventListener {
  const told = new Map<string, { readonly at: number; leftOut: number }>();
  const limited = (event: ReplicaEvent): ReplicaEvent | undefined => {
    if (event.type !== "malformedFrame" && event.type !== "foreignFrame") return event;
    const key = `${event.type} ${event.from}`;
    const last = told.get(key);
    if (last !== undefined && now() - last.at < INTERVAL_MS) {
      last.leftOut += 1;
      return undefined;
    }
    told.set(key, { at: now(), leftOut: 0 });
    return { ...event, leftOut: last?.leftOut ?? 0 };
  };
  return (event) => {
    const news = limited(event);
    if (news === undefined) return;
    try {
      listener(news);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };
}
