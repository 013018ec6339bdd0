/**
 * Rows that were read from files, by span: of neighbours in a queue, and of other queues beside
 * them, they are asked for again. The span that was used least lately is forgotten as a whole.
 */

import type { QueueKey } from "../state/queue-key.ts";
import { ROW_BYTES, type RowColumns } from "./row-columns.ts";

/** Of a queue's rows beside themselves, about. */
const ENTRY_BYTES = 512;

/** Of one span. */
export class CachedRows {
  readonly #rows = new Map<QueueKey, RowColumns>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get(key: QueueKey): RowColumns | undefined {
    return this.#rows.get(key);
  }

  add(key: QueueKey, rows: RowColumns): void {
    if (this.#rows.has(key)) return;
    this.#rows.set(key, rows);
    this.#bytes += ENTRY_BYTES + rows.count * ROW_BYTES;
  }
}

export class RowCache {
  readonly #bytesMax: number;
  /** By the paths of their spans; what was used last is last. */
  readonly #spans = new Map<string, CachedRows>();

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** What is there of a span, to be looked up and added to. */
  of(path: string): CachedRows {
    const rows = this.#spans.get(path) ?? new CachedRows();
    this.#spans.delete(path);
    this.#spans.set(path, rows);
    return rows;
  }

  /** Behind an addition. */
  trim(): void {
    let bytes = 0;
    for (const rows of this.#spans.values()) bytes += rows.bytes;
    for (const [path, rows] of this.#spans) {
      if (bytes <= this.#bytesMax || this.#spans.size === 1) return;
      this.#spans.delete(path);
      bytes -= rows.bytes;
    }
  }

  clear(): void {
    this.#spans.clear();
  }
}
