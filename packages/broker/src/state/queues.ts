/** The queues of this group as apply meets them: one look finds all that a batch changes. */

import type { LateRow, LateRows, Table, Tables } from "@quorumlog/tables";
import type { Producer } from "./producer-sequences.ts";
import { parseQueueRowKey, type QueueKey, queueRowKey, topicIdOf } from "./queue-key.ts";
import { numbersCodec } from "./row-codec.ts";

export interface Queue extends LateRow {
  readonly key: QueueKey;
  /** Of the table's row. */
  readonly rowKey: string;
  /** The offset that its next message gets. */
  end: number;
  /** Those that have published to it, by their ids. */
  readonly producers: Map<number, Producer>;
}

export class Queues {
  readonly #table: Table<readonly number[]>;
  readonly #late: LateRows<Queue>;
  readonly #queues = new Map<QueueKey, Queue>();

  constructor(tables: Tables) {
    const table = tables.table("queues", numbersCodec);
    this.#table = table;
    this.#late = tables.late(({ rowKey, end }) => {
      table.set(rowKey, [end]);
    });
  }

  /** Made when it is asked for, without a row until something is stored in it. */
  queue(key: QueueKey): Queue {
    const known = this.#queues.get(key);
    if (known !== undefined) return known;
    const producers = new Map<number, Producer>();
    const queue = { key, rowKey: queueRowKey(key), end: 0, producers, isChanged: false };
    this.#queues.set(key, queue);
    return queue;
  }

  /** `undefined`: nothing was ever stored in it. */
  find(key: QueueKey): Queue | undefined {
    return this.#queues.get(key);
  }

  /** 0 of a queue that has never had a message. */
  end(key: QueueKey): number {
    return this.#queues.get(key)?.end ?? 0;
  }

  advance(queue: Queue, count: number): void {
    queue.end += count;
    this.#late.touch(queue);
  }

  /** Takes out those of a topic that is no more: its id is never given again. */
  takeTopic(topicId: number): Queue[] {
    const gone = [...this.#queues.values()].filter(({ key }) => topicIdOf(key) === topicId);
    for (const queue of gone) {
      queue.isChanged = false;
      this.#queues.delete(queue.key);
      this.#table.delete(queue.rowKey);
    }
    return gone;
  }

  /** The tables were replaced. */
  load(): void {
    this.#queues.clear();
    for (const [rowKey, [end]] of this.#table.entries())
      this.queue(parseQueueRowKey(rowKey)).end = end as number;
  }
}
