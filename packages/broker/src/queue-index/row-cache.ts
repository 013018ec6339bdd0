/**
 * Rows that were read from files, by span: of neighbours in a queue, and of other queues beside
 * them, they are asked for again. The span that was used least lately is forgotten as a whole.
 */

import type { QueueKey } from "../state/queue-key.ts";
import { ROW_BYTES, type RowColumns } from "./row-columns.ts";

/** Of a queue's rows beside themselves, about. */
const ENTRY_BYTES = 512;

interface CachedSpan {
  readonly rows: Map<QueueKey, RowColumns>;
  bytes: number;
}

export class RowCache {
  readonly #bytesMax: number;
  /** By the paths of their spans; what was used last is last. */
  readonly #spans = new Map<string, CachedSpan>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(path: string, key: QueueKey): RowColumns | undefined {
    const span = this.#spans.get(path);
    if (span === undefined) return undefined;
    this.#spans.delete(path);
    this.#spans.set(path, span);
    return span.rows.get(key);
  }

  add(path: string, found: Iterable<readonly [QueueKey, RowColumns]>): void {
    const span = this.#spans.get(path) ?? { rows: new Map<QueueKey, RowColumns>(), bytes: 0 };
    this.#spans.set(path, span);
    for (const [key, rows] of found) {
      if (span.rows.has(key)) continue;
      span.rows.set(key, rows);
      const bytes = ENTRY_BYTES + rows.count * ROW_BYTES;
      span.bytes += bytes;
      this.#bytes += bytes;
    }
    for (const [oldest, { bytes }] of this.#spans) {
      if (this.#bytes <= this.#bytesMax || oldest === path) return;
      this.#spans.delete(oldest);
      this.#bytes -= bytes;
    }
  }

  clear(): void {
    this.#spans.clear();
    this.#bytes = 0;
  }
}
