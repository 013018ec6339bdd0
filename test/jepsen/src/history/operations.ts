/** Joins the events of a history into operations, and refuses what is no history. */

import type { HistoryEvent, Operation } from "./history-event.ts";

export class HistoryError extends Error {
  override readonly name = "HistoryError";
}

/**
 * The operations of clients, in the order in which they were invoked; faults are left out.
 *
 * @throws HistoryError if a process asks for something while it waits, is told what it has not
 *   asked for, or goes on although it does not know what became of its last operation.
 */
export function operationsOf(events: Iterable<HistoryEvent>): Operation[] {
  const operations: { invoke: HistoryEvent; completion: HistoryEvent | undefined }[] = [];
  const open = new Map<number, { invoke: HistoryEvent; completion: HistoryEvent | undefined }>();
  const over = new Set<number>();
  let last = -1;
  for (const event of events) {
    const { index, process, type, action } = event;
    if (index <= last) throw new HistoryError(`event ${index} comes behind event ${last}`);
    last = index;
    if (process === "nemesis") continue;
    const waits = open.get(process);
    if (over.has(process))
      throw new HistoryError(`event ${index}: process ${process} was over, and goes on`);
    if (type === "invoke") {
      if (waits !== undefined)
        throw new HistoryError(`event ${index}: process ${process} has an operation under way`);
      const operation = { invoke: event, completion: undefined };
      operations.push(operation);
      open.set(process, operation);
      continue;
    }
    if (waits?.invoke.action !== action)
      throw new HistoryError(`event ${index}: process ${process} has not asked for ${action}`);
    waits.completion = event;
    open.delete(process);
    if (type === "info") over.add(process);
  }
  return operations;
}
