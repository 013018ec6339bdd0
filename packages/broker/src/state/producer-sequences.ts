/**
 * What makes a repeated publish be stored once: of each producer and queue, the number of its last
 * batch, and where its last few went.
 *
 * A producer numbers its batches in a queue 1, 2, 3, and so on; it may have up to
 * {@link REMEMBERED} of them under way. Whoever has not published for longest is forgotten when
 * there are too many: it then gets an error, and no second copy. Its batch 1 looks like that of a
 * new producer, but for two things: a repeated batch says that it is one, and when it was born. So
 * of those who are forgotten, the latest birth of a batch 1 is kept: one that is repeated and not
 * born after that may have been stored.
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

/** Of a record batch, what it is judged by. */
export interface ProducerBatch {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly sequence: number;
  /** By its producer's clock: milliseconds since 1970. */
  readonly bornTimestamp: number;
  readonly isRepeated: boolean;
}

/** Where and when a batch was stored. */
interface StoredBatch {
  readonly baseOffset: number;
  /** By the log's time: milliseconds since 1970. */
  readonly storeTimestamp: number;
}

/** What to do about a batch. */
export type SequenceVerdict =
  | { readonly kind: "next" }
  | ({ readonly kind: "duplicate" } & StoredBatch)
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
  /** When its batch 1 was born; of several, as with another epoch each, the latest. */
  firstBorn: number;
  /** Offset and store timestamp of each of the last batches in turn, newest last. */
  recent: number[];
}

/** Of those that may be: so many are forgotten at a time. */
const FORGOTTEN_SHARE = 1 / 8;
/**
 * A clock that is further ahead than that counts as so far: batches of others that are repeated
 * would be refused for as long as it is.
 */
const AHEAD_MS_MAX = 86_400_000;
/** Of the horizon's table, which has this one row. */
const HORIZON_ROW = "firstBorn";
const NEXT: SequenceVerdict = { kind: "next" };

export class ProducerSequences {
  readonly #table: Table<readonly number[]>;
  readonly #late: LateRows<Producer>;
  readonly #queues: Queues;
  readonly #countMax: number;
  readonly #producers = new Set<Producer>();
  readonly #horizonTable: Table<readonly number[]>;
  /** The latest birth of a batch 1 of those who were forgotten; 0: nobody was. */
  #horizon = 0;

  constructor(tables: Tables, queues: Queues, countMax: number) {
    const table = tables.table("producers", numbersCodec);
    this.#table = table;
    this.#horizonTable = tables.table("producerHorizon", numbersCodec);
    this.#late = tables.late(({ rowKey, epoch, last, stamp, firstBorn, recent }) => {
      table.set(rowKey, [epoch, last, stamp, firstBorn, ...recent]);
    });
    this.#queues = queues;
    this.#countMax = countMax;
  }

  judge({ producers }: Queue, batch: ProducerBatch): SequenceVerdict {
    const { producerId, producerEpoch: epoch, sequence } = batch;
    const known = producers.get(producerId);
    if (known === undefined || epoch > known.epoch) return this.#judgeUnknown(batch);
    if (epoch < known.epoch) return { kind: "staleEpoch" };
    if (sequence === sequenceAfter(known.last)) return NEXT;
    const age = ageOf(sequence, known.last);
    if (age < 0) return { kind: "gap" };
    const baseOffset = known.recent.at(-2 - 2 * age);
    const storeTimestamp = known.recent.at(-1 - 2 * age);
    if (baseOffset === undefined || storeTimestamp === undefined) return { kind: "tooOld" };
    return { kind: "duplicate", baseOffset, storeTimestamp };
  }

  /** @param at - `stamp`: higher than all before. */
  note(queue: Queue, batch: ProducerBatch, at: StoredBatch & { readonly stamp: number }): void {
    const { producerId, producerEpoch: epoch, sequence } = batch;
    const { baseOffset, storeTimestamp } = at;
    const producer = queue.producers.get(producerId) ?? this.#add(queue, producerId);
    if (epoch > producer.epoch) producer.recent = [];
    producer.epoch = epoch;
    producer.last = sequence;
    producer.stamp = at.stamp;
    if (sequence === 1) {
      const born = Math.min(batch.bornTimestamp, storeTimestamp + AHEAD_MS_MAX);
      producer.firstBorn = Math.max(producer.firstBorn, born);
    }
    const { recent } = producer;
    if (recent.length === 2 * REMEMBERED) recent.copyWithin(0, 2).length -= 2;
    recent.push(baseOffset, storeTimestamp);
    this.#late.touch(producer);
    if (this.#producers.size > this.#countMax) this.#forgetQuiet();
  }

  /** What is known of the producers of a queue that is no more. */
  forgetQueue({ producers }: Queue): void {
    for (const producer of producers.values()) this.#forget(producer);
  }

  load(): void {
    this.#producers.clear();
    this.#horizon = this.#horizonTable.get(HORIZON_ROW)?.[0] ?? 0;
    for (const [rowKey, numbers] of this.#table.entries()) {
      const [epoch = 0, last = 0, stamp = 0, firstBorn = 0, ...recent] = numbers;
      const at = rowKey.lastIndexOf("/");
      const queue = this.#queues.queue(parseQueueRowKey(rowKey.slice(0, at)));
      const producer = this.#add(queue, Number(rowKey.slice(at + 1)));
      Object.assign(producer, { epoch, last, stamp, firstBorn, recent });
    }
  }

  /**
   * Of a producer that is new, or that was forgotten; of one epoch or all of them: what is known of
   * a former epoch may have come after this one was forgotten.
   */
  #judgeUnknown({ sequence, isRepeated, bornTimestamp }: ProducerBatch): SequenceVerdict {
    if (sequence !== 1) return { kind: "unknownProducer" };
    const mayBeStored = isRepeated && bornTimestamp <= this.#horizon;
    return mayBeStored ? { kind: "unknownProducer" } : NEXT;
  }

  #add(queue: Queue, id: number): Producer {
    const rowKey = `${queue.rowKey}/${id}`;
    const none = { epoch: 0, last: 0, stamp: 0, firstBorn: 0, recent: [], isChanged: false };
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
    for (const producer of this.#producers) {
      if (producer.stamp > newest) continue;
      this.#horizon = Math.max(this.#horizon, producer.firstBorn);
      this.#forget(producer);
    }
    this.#horizonTable.set(HORIZON_ROW, [this.#horizon]);
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
