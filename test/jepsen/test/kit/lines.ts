/** Histories by hand: a line for each event, in their order. */

import type { EventType, HistoryEvent, Value } from "../../src/history/history-event.ts";

export type Line = readonly [process: number, type: EventType, action: string, value: Value];

export function eventsOf(lines: readonly Line[]): HistoryEvent[] {
  return lines.map(([process, type, action, value], index) => {
    return { index, timeNs: index * 1_000, process, type, action, value };
  });
}
