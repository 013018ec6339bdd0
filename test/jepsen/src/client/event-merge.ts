/**
 * Puts the events of several processes in one order, that of their times, and numbers them.
 *
 * A process says with its events how far it has told: what it tells later is of later. So an event
 * has its place as soon as all have told as much.
 */

import type { HistoryEvent } from "../history/history-event.ts";
import type { RecordedEvent } from "./client-words.ts";

/** Events of one process, in the order of their times. */
export class EventSource {
  readonly #events: RecordedEvent[] = [];
  #taken = 0;
  /** Nothing of earlier than this comes any more. */
  until = 0;

  add(events: readonly RecordedEvent[]): void {
    for (const event of events) this.#events.push(event);
  }

  /** Nothing comes any more. */
  end(): void {
    this.until = Infinity;
  }

  get first(): RecordedEvent | undefined {
    return this.#events[this.#taken];
  }

  take(): void {
    this.#taken += 1;
    if (this.#taken < this.#events.length) return;
    this.#events.length = 0;
    this.#taken = 0;
  }

  get isOver(): boolean {
    return this.until === Infinity && this.first === undefined;
  }
}

export class EventMerge {
  readonly #sources = new Set<EventSource>();
  #nextIndex = 0;

  /** @param from - Nothing of it is earlier. */
  source(from: number): EventSource {
    const source = new EventSource();
    source.until = from;
    this.#sources.add(source);
    return source;
  }

  /** Behind everything that was taken. */
  append(event: RecordedEvent): HistoryEvent {
    this.#nextIndex += 1;
    return { index: this.#nextIndex - 1, ...event };
  }

  /** @returns what has its place by now. */
  take(): HistoryEvent[] {
    let until = Infinity;
    for (const source of this.#sources) {
      if (source.isOver) this.#sources.delete(source);
      until = Math.min(until, source.until);
    }
    const taken: HistoryEvent[] = [];
    for (;;) {
      let next: EventSource | undefined;
      for (const source of this.#sources) if (isBefore(source, next)) next = source;
      const event = next?.first;
      if (event === undefined || event.timeNs >= until) return taken;
      next?.take();
      taken.push(this.append(event));
    }
  }
}

/** Of two at one time, what begins comes first: those operations overlap. */
function isBefore({ first }: EventSource, next: EventSource | undefined): boolean {
  const other = next?.first;
  if (first === undefined || other === undefined) return first !== undefined;
  if (first.timeNs !== other.timeNs) return first.timeNs < other.timeNs;
  return first.type === "invoke" && other.type !== "invoke";
}
