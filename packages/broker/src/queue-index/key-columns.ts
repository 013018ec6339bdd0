/**
 * Keys of messages in memory, and as they lie in a file: four words each, that say which row of
 * which queue may have a key.
 *
 *     u32 topicId, u32 hash, u32 queue, u32 row
 *
 * A batch may bring tens of thousands of them, so none is an object of its own.
 */

import { assert } from "@quorumlog/std";

export const KEY_BYTES = 16;
const KEY_WORDS = 4;
const KEYS_MIN = 64;
/** With a hash before it, a place is one number of 52 bits, which is sorted without a comparer. */
const COUNT_MAX = 2 ** 20;

export class KeyColumns {
  #words: Uint32Array;
  #count: number;

  private constructor(words: Uint32Array, count: number) {
    this.#words = words;
    this.#count = count;
  }

  static empty(): KeyColumns {
    return new KeyColumns(new Uint32Array(KEYS_MIN * KEY_WORDS), 0);
  }

  /** @param bytes - A whole number of keys, which begin where words can. */
  static over(bytes: Buffer): KeyColumns {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    return new KeyColumns(words, bytes.length / KEY_BYTES);
  }

  get count(): number {
    return this.#count;
  }

  push(topicId: number, hash: number, queue: number, row: number): void {
    const at = this.#count * KEY_WORDS;
    if (at === this.#words.length) this.#grow();
    this.#words[at] = topicId;
    this.#words[at + 1] = hash;
    this.#words[at + 2] = queue;
    this.#words[at + 3] = row;
    this.#count += 1;
  }

  topicId(at: number): number {
    return this.#words[at * KEY_WORDS] as number;
  }

  hash(at: number): number {
    return this.#words[at * KEY_WORDS + 1] as number;
  }

  queue(at: number): number {
    return this.#words[at * KEY_WORDS + 2] as number;
  }

  row(at: number): number {
    return this.#words[at * KEY_WORDS + 3] as number;
  }

  /** @returns the same ones, by topic and hash. */
  sorted(): KeyColumns {
    const count = this.#count;
    assert(count <= COUNT_MAX, "a span is full long before it has so many keys");
    const places = new Float64Array(count);
    for (let at = 0; at < count; at++) places[at] = this.hash(at) * COUNT_MAX + at;
    places.sort();
    const topics = new Map<number, number[]>();
    for (const place of places) {
      const at = place % COUNT_MAX;
      const topicId = this.topicId(at);
      const own = topics.get(topicId);
      if (own === undefined) topics.set(topicId, [at]);
      else own.push(at);
    }
    const sorted = new KeyColumns(new Uint32Array(count * KEY_WORDS), 0);
    for (const [topicId, own] of [...topics].toSorted(([a], [b]) => a - b))
      for (const at of own) sorted.push(topicId, this.hash(at), this.queue(at), this.row(at));
    return sorted;
  }

  /** @returns the keys as they lie in a file: a view. */
  bytes(): Buffer {
    return Buffer.from(this.#words.buffer, this.#words.byteOffset, this.#count * KEY_BYTES);
  }

  #grow(): void {
    const larger = new Uint32Array(2 * this.#words.length);
    larger.set(this.#words);
    this.#words = larger;
  }
}
