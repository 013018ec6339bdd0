/**
 * What makes a repeated publish be stored once: of each producer and queue, the number of its last
 * batch, and where its last few went.
 *
 * A producer numbers its batches in a queue 1, 2, 3, and so on; it may have up to
 * {@link REMEMBERED} of them under way. Whoever has not published for longest is forgotten when
 * there are too many: it then gets an error, never a second copy.
 */

import { sequenceAfter } from "@quorumlog/protocol";
import type { Table } from "@quorumlog/tables";
import { type QueueKey, queueRowKey } from "./queue-key.ts";

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

interface Sequences {
  epoch: number;
  last: number;
  /** Counts up over all producers: who has the lowest was quiet for longest. */
  stamp: number;
  /** Offsets of the last batches, newest last. */
  recent: number[];
}

const NEXT: SequenceVerdict = { kind: "next" };

export class ProducerSequences {
  readonly #table: Table<readonly number[]>;
  readonly #countMax: number;
  /** By row key; whoever was quiet for longest is first. */
  readonly #producers = new Map<string, Sequences>();
  readonly #changed = new Set<string>();

  constructor(table: Table<readonly number[]>, countMax: number) {
    this.#table = table;
    this.#countMax = countMax;
  }

  judge(key: QueueKey, batch: ProducerBatch): SequenceVerdict {
    const known = this.#producers.get(rowKeyOf(key, batch.producerId));
    const { epoch, sequence } = batch;
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
  note(key: QueueKey, batch: ProducerBatch, at: { baseOffset: number; stamp: number }): void {
    const rowKey = rowKeyOf(key, batch.producerId);
    const known = this.#producers.get(rowKey);
    const recent = known === undefined || batch.epoch > known.epoch ? [] : known.recent;
    recent.push(at.baseOffset);
    if (recent.length > REMEMBERED) recent.shift();
    // Behind all the others.
    this.#producers.delete(rowKey);
    this.#producers.set(rowKey, {
      epoch: batch.epoch,
      last: batch.sequence,
      stamp: at.stamp,
      recent,
    });
    this.#changed.add(rowKey);
    if (this.#producers.size > this.#countMax) this.#forgetFirst();
  }

  save(): void {
    for (const rowKey of this.#changed) {
      const producer = this.#producers.get(rowKey);
      if (producer === undefined) continue;
      const { epoch, last, stamp, recent } = producer;
      this.#table.set(rowKey, [epoch, last, stamp, ...recent]);
    }
    this.#changed.clear();
  }

  load(): void {
    this.#producers.clear();
    this.#changed.clear();
    const rows = [...this.#table.entries()].map(([rowKey, numbers]) => {
      const [epoch, last, stamp, ...recent] = numbers as [number, number, number, ...number[]];
      return [rowKey, { epoch, last, stamp, recent }] as const;
    });
    for (const [rowKey, producer] of rows.toSorted(([, a], [, b]) => a.stamp - b.stamp))
      this.#producers.set(rowKey, producer);
  }

  #forgetFirst(): void {
    const [rowKey] = this.#producers.keys();
    if (rowKey === undefined) return;
    this.#producers.delete(rowKey);
    this.#changed.delete(rowKey);
    this.#table.delete(rowKey);
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

function rowKeyOf(key: QueueKey, producerId: number): string {
  return `${queueRowKey(key)}/${producerId}`;
}
