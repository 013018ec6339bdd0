/**
 * What makes a repeated publish be stored once: of each producer and queue, the number of its last
 * batch, and where its last few went.
 *
 * A producer numbers its batches in a queue 1, 2, 3, and so on; it may have up to
 * {@link REMEMBERED} of them under way. Whoever has not published for longest is forgotten when
 * there are too many: it then gets an error, and no second copy; but for its batch 1, which nobody
 * can tell from that of a new producer. So there is room for more than publish while one repeats.
 */

import { sequenceAfter } from "@quorumlog/protocol";
import { required } from "@quorumlog/std";
import type { LateRow, LateRows, Table, Tables } from "@quorumlog/tables";
import { parseQueueRowKey } from "./queue-key.ts";
import type { Queue, Queues } from "./queues.ts";
import { numbersCodec } from "./row-codec.ts";

/** Of batches of a producer in a queue. */
const REMEMBERED = 5;
/** Numbers are 1 to 2^32 - 1. */
const LAP = 2 ** 32 - 1;
const HALF_LAP = 2 ** 31;

export interface ProducerBatch {
  readonly producerId: number;
  readonly epoch: number;
  readonly sequence: number;
}

/** What to do about a batch. */
export type SequenceVerdict =
  | { readonly kind: "next" }
  | { readonly kind: "duplicate"; readonly baseOffset: number }
  | { readonly kind: "staleEpoch" | "unknownProducer" | "gap" | "tooOld" };

/** What is remembered of a producer in a queue. */
export interface Producer extends LateRow {
  readonly id: number;
  readonly queue: Queue;
  /** Of the table's row. */
  readonly rowKey: string;
  epoch: number;
  last: number;
  /** Counts up over all producers: who has the lowest was quiet for longest. */
  stamp: number;
  /** Offsets of the last batches, newest last. */
  recent: number[];
}

/** Of those that may be: so many are forgotten at a time. */
const FORGOTTEN_SHARE = 1 / 8;
const NEXT: SequenceVerdict = { kind: "next" };

export class ProducerSequences {
  readonly #table: Table<readonly number[]>;
  readonly #late: LateRows<Producer>;
  readonly #queues: Queues;
  readonly #countMax: number;
  readonly #producers = new Set<Producer>();

  constructor(tables: Tables, queues: Queues, countMax: number) {
    const table = tables.table("producers", numbersCodec);
    this.#table = table;
    this.#late = tables.late(({ rowKey, epoch, last, stamp, recent }) => {
      table.set(rowKey, [epoch, last, stamp, ...recent]);
    });
    this.#queues = queues;
    this.#countMax = countMax;
  }

  judge({ producers }: Queue, { producerId, epoch, sequence }: ProducerBatch): SequenceVerdict {
    const known = producers.get(producerId);
    if (known === undefined || epoch > known.epoch)
      return sequence === 1 ? NEXT : { kind: "unknownProducer" };
    if (epoch < known.epoch) return { kind: "staleEpoch" };
    if (sequence === sequenceAfter(known.last)) return NEXT;
    const age = ageOf(sequence, known.last);
    if (age < 0) return { kind: "gap" };
    const baseOffset = known.recent.at(-1 - age);
    return baseOffset === undefined ? { kind: "tooOld" } : { kind: "duplicate", baseOffset };
  }

  /** @param stamp - Higher than all before. */
  note(queue: Queue, batch: ProducerBatch, at: { baseOffset: number; stamp: number }): void {
    const { producerId, epoch, sequence } = batch;
    const producer = queue.producers.get(producerId) ?? this.#add(queue, producerId);
    if (epoch > producer.epoch) producer.recent = [];
    producer.epoch = epoch;
    producer.last = sequence;
    producer.stamp = at.stamp;
    producer.recent.push(at.baseOffset);
    if (producer.recent.length > REMEMBERED) producer.recent.shift();
    this.#late.touch(producer);
    if (this.#producers.size > this.#countMax) this.#forgetQuiet();
  }

  /** What is known of the producers of a queue that is no more. */
  forgetQueue({ producers }: Queue): void {
    for (const producer of producers.values()) this.#forget(producer);
  }

  load(): void {
    this.#producers.clear();
    for (const [rowKey, numbers] of this.#table.entries()) {
      const [epoch, last, stamp, ...recent] = numbers as [number, number, number, ...number[]];
      const at = rowKey.lastIndexOf("/");
      const queue = this.#queues.queue(parseQueueRowKey(rowKey.slice(0, at)));
      const producer = this.#add(queue, Number(rowKey.slice(at + 1)));
      Object.assign(producer, { epoch, last, stamp, recent });
    }
  }

  #add(queue: Queue, id: number): Producer {
    const rowKey = `${queue.rowKey}/${id}`;
    const none = { epoch: 0, last: 0, stamp: 0, recent: [], isChanged: false };
    const producer: Producer = { id, queue, rowKey, ...none };
    queue.producers.set(id, producer);
    this.#producers.add(producer);
    return producer;
  }

  /** Not one at a time: nobody keeps them in order, as each batch would have to. */
  #forgetQuiet(): void {
    const count = Math.max(1, Math.floor(this.#countMax * FORGOTTEN_SHARE));
    const stamps = Float64Array.from(this.#producers, ({ stamp }) => stamp).sort();
    const newest = required(stamps[count - 1], "there are more than are forgotten");
    for (const producer of this.#producers) if (producer.stamp <= newest) this.#forget(producer);
  }

  #forget(producer: Producer): void {
    producer.isChanged = false;
    producer.queue.producers.delete(producer.id);
    this.#producers.delete(producer);
    this.#table.delete(producer.rowKey);
  }
}

/**
 * How many batches there have been since: numbers go round past 0, so that a few billions of them
 * are a lap, and not a gap.
 */
function ageOf(sequence: number, last: number): number {
  const age = last - sequence;
  if (age < -HALF_LAP) return age + LAP;
  return age > HALF_LAP ? age - LAP : age;
}
