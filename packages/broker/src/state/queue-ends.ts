/** Where each queue of this group ends: the offset that its next message gets. */

import type { Table } from "@quorumlog/tables";
import { parseQueueRowKey, type QueueKey, queueRowKey, topicIdOf } from "./queue-key.ts";

/**
 * The numbers are in a map, where each batch reads and changes them; the table's rows are those
 * that have changed in a turn, written at its end.
 */
export class QueueEnds {
  readonly #table: Table<readonly number[]>;
  readonly #ends = new Map<QueueKey, number>();
  readonly #changed = new Set<QueueKey>();

  constructor(table: Table<readonly number[]>) {
    this.#table = table;
  }

  /** 0 of a queue that has never had a message. */
  end(key: QueueKey): number {
    return this.#ends.get(key) ?? 0;
  }

  advance(key: QueueKey, count: number): void {
    this.#ends.set(key, this.end(key) + count);
    this.#changed.add(key);
  }

  /** Of a topic that is no more: its id is never given again. */
  forgetTopic(topicId: number): void {
    for (const key of this.#ends.keys())
      if (topicIdOf(key) === topicId) {
        this.#ends.delete(key);
        this.#changed.delete(key);
        this.#table.delete(queueRowKey(key));
      }
  }

  /** Writes what has changed into the table. */
  save(): void {
    for (const key of this.#changed) this.#table.set(queueRowKey(key), [this.end(key)]);
    this.#changed.clear();
  }

  /** The table was replaced. */
  load(): void {
    this.#ends.clear();
    this.#changed.clear();
    for (const [rowKey, [end]] of this.#table.entries())
      this.#ends.set(parseQueueRowKey(rowKey), end as number);
  }
}
