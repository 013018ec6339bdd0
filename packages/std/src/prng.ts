/**
 * A seeded pseudo-random generator: xoshiro128** (Blackman and Vigna, 2018), seeded by splitmix32.
 *
 * Fast, small, and the same on every machine, which is all that a simulator and a randomized
 * election timeout need. Not for secrets.
 */

import { assert } from "./assert.ts";

export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** @param seed - A safe integer. Equal seeds give equal streams. */
  constructor(seed: number) {
    assert(Number.isSafeInteger(seed), "a seed is a safe integer");
    // Both halves of the seed are mixed, so that seeds which differ only above bit 31 differ here.
    let state = (seed >>> 0) ^ (Math.floor(seed / 2 ** 32) * 0x9e3779b1);
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let z = state ^ (state >>> 16);
      z = Math.imul(z, 0x21f0aaad);
      z ^= z >>> 15;
      z = Math.imul(z, 0x735a2d97);
      return (z ^ (z >>> 15)) >>> 0;
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next();
  }

  /** The next integer in `[0, 2^32)`. */
  uint32(): number {
    const scrambled = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotateLeft(this.#d, 11);
    return scrambled;
  }

  /** The next integer in `[0, bound)`; `bound` is in `[1, 2^32]`. */
  below(bound: number): number {
    assert(Number.isInteger(bound) && bound >= 1 && bound <= 2 ** 32, "bound is in [1, 2^32]");
    return Math.floor((this.uint32() / 2 ** 32) * bound);
  }

  /** The next integer in `[low, high)`. */
  between(low: number, high: number): number {
    assert(low < high, "low is below high");
    return low + this.below(high - low);
  }

  /** The next number in `[0, 1)`, with 32 bits of chance. */
  fraction(): number {
    return this.uint32() / 2 ** 32;
  }

  /** True with the given probability, in `[0, 1]`. */
  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** One of the items, each as likely. */
  pick<T>(items: readonly T[]): T {
    assert(items.length > 0, "there is something to pick from");
    return items[this.below(items.length)] as T;
  }

  /** Shuffles in place (Fisher and Yates) and returns the same array. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const swapped = items[i] as T;
      items[i] = items[j] as T;
      items[j] = swapped;
    }
    return items;
  }

  /** A generator whose stream is independent of what is drawn from this one later. */
  fork(): Prng {
    return new Prng(this.uint32() * 2 ** 20 + (this.uint32() >>> 12));
  }
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
