/** In which spans each queue has rows, oldest first. */

import type { QueueKey } from "../state/queue-key.ts";
import { firstWhere } from "./index-row.ts";
import type { IndexSpan } from "./index-span.ts";

/** Where a queue begins in a span. */
interface First {
  readonly baseOffset: number;
  readonly storeTimestamp: number;
}

export class QueueSpans {
  readonly #queues = new Map<QueueKey, IndexSpan[]>();

  static of(spans: readonly IndexSpan[]): QueueSpans {
    const queues = new QueueSpans();
    for (const span of spans) for (const key of span.keys()) queues.add(key, span);
    return queues;
  }

  add(key: QueueKey, span: IndexSpan): void {
    const spans = this.#queues.get(key);
    if (spans === undefined) this.#queues.set(key, [span]);
    else if (spans.at(-1) !== span) spans.push(span);
  }

  /** @returns the span before the first for which it is so, and all behind it. */
  from(key: QueueKey, isSo: (first: First) => boolean): readonly IndexSpan[] {
    const spans = this.#queues.get(key) ?? [];
    const at = firstWhere(spans.length, (i) => isSo((spans[i] as IndexSpan).firstOf(key)));
    return spans.slice(Math.max(0, at - 1));
  }

  forget(isOf: (key: QueueKey) => boolean): void {
    for (const key of this.#queues.keys()) if (isOf(key)) this.#queues.delete(key);
  }
}
