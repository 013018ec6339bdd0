/**
 * What was acknowledged where, of many millions of messages: one bit for each, and a sum for each
 * block of them, by which whoever reads a whole block knows whether it has what was acknowledged.
 */

/** Where a body says which one it is: at its head, and again at its end. */
export const SERIAL_BYTES = 4;

const BITS = 32;
const BLOCK_BYTES = 1024 * 1024;
const BLOCK_LENGTH_MAX = 1_024;

/** Of one queue. */
interface Place {
  count: number;
  /** By offset. */
  bits: Uint32Array;
  /** By block. */
  sums: Uint32Array;
}

/** Offsets of one queue that were acknowledged. */
export interface Block {
  /** The number of the queue. */
  readonly place: number;
  readonly from: number;
  /** Behind the last one. */
  readonly to: number;
}

export interface EndsAudit {
  /** Acknowledged, and not below the end of their queue. */
  readonly lost: number;
  /** Below the end of a queue, and not acknowledged to anybody. */
  readonly strange: number;
}

export class PlaceLedger {
  /** Offsets of a block. */
  readonly blockLength: number;
  readonly #places = new Map<number, Place>();
  #acked = 0;
  #repeated = 0;

  /** @param messageBytes - A block has a MiB of them, or 1,024. */
  constructor(messageBytes: number) {
    this.blockLength = Math.max(
      1,
      Math.min(BLOCK_LENGTH_MAX, Math.floor(BLOCK_BYTES / messageBytes)),
    );
  }

  get acked(): number {
    return this.#acked;
  }

  /** Acknowledgements of an offset that was acknowledged before. */
  get repeated(): number {
    return this.#repeated;
  }

  ack(place: number, offset: number, serial: number): void {
    const known = this.#placeOf(place);
    const word = Math.floor(offset / BITS);
    if (word >= known.bits.length) known.bits = larger(known.bits, word);
    const block = Math.floor(offset / this.blockLength);
    if (block >= known.sums.length) known.sums = larger(known.sums, block);
    const bit = 1 << (offset % BITS);
    if (((known.bits[word] ?? 0) & bit) !== 0) {
      this.#repeated += 1;
      return;
    }
    known.bits[word] = (known.bits[word] ?? 0) | bit;
    known.sums[block] = (known.sums[block] ?? 0) + mixOf(offset, serial);
    known.count += 1;
    this.#acked += 1;
  }

  /** @param ends - By the number of the queue: the offset that its next message gets. */
  auditEnds(ends: readonly number[]): EndsAudit {
    let lost = 0;
    let strange = 0;
    for (const [place, { count, bits }] of this.#places) {
      const end = ends[place] ?? 0;
      const below = countBelow(bits, end);
      lost += count - below;
      strange += end - below;
    }
    for (const [place, end] of ends.entries()) if (!this.#places.has(place)) strange += end;
    return { lost, strange };
  }

  /** All of them; the last one of a queue may be shorter. */
  blocks(): Block[] {
    const { blockLength } = this;
    return [...this.#places].flatMap(([place, { count }]) =>
      Array.from({ length: Math.ceil(count / blockLength) }, (_, i) => ({
        place,
        from: i * blockLength,
        to: Math.min(count, (i + 1) * blockLength),
      })),
    );
  }

  /** @param sum - Of `mixOf` of each message of it. */
  isAsAcknowledged({ place, from }: Block, sum: number): boolean {
    const expected = this.#places.get(place)?.sums[Math.floor(from / this.blockLength)];
    return expected === sum >>> 0;
  }

  #placeOf(place: number): Place {
    const known = this.#places.get(place);
    if (known !== undefined) return known;
    const fresh = { count: 0, bits: new Uint32Array(BITS), sums: new Uint32Array(1) };
    this.#places.set(place, fresh);
    return fresh;
  }
}

/** A number that two messages which have changed places do not add up to. */
export function mixOf(offset: number, serial: number): number {
  let mixed = Math.imul(offset ^ 0x9e37_79b9, 0x85eb_ca6b) ^ serial;
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0xc2b2_ae35);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

/** @returns so many blocks at most, spread over all of them. */
export function sampleOf(blocks: readonly Block[], count: number): Block[] {
  if (blocks.length <= count) return [...blocks];
  return Array.from({ length: count }, (_, i) => {
    const at = Math.floor(((i + 1) * blocks.length) / count) - 1;
    return blocks[at] as Block;
  });
}

function countBelow(bits: Uint32Array, end: number): number {
  let count = 0;
  const whole = Math.min(bits.length, Math.floor(end / BITS));
  for (let word = 0; word < whole; word++) count += onesOf(bits[word] ?? 0);
  const rest = end % BITS;
  if (rest > 0) count += onesOf((bits[whole] ?? 0) & (2 ** rest - 1));
  return count;
}

function onesOf(word: number): number {
  let ones = word - ((word >>> 1) & 0x5555_5555);
  ones = (ones & 0x3333_3333) + ((ones >>> 2) & 0x3333_3333);
  return Math.imul((ones + (ones >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

function larger(former: Uint32Array, index: number): Uint32Array {
  const next = new Uint32Array(2 * (index + 1));
  next.set(former);
  return next;
}
