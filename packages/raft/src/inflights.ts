/**
 * The AppendEntries in flight to one follower, oldest first, bounded in count and in bytes.
 *
 * A ring that grows by doubling up to its bound, so that a thousand idle followers cost little.
 */

import { assert } from "@quorumlog/std";
import type { LogIndex } from "./ids.ts";

export interface InflightLimits {
  readonly inflightCountMax: number;
  /** Once this many bytes are in flight no more is sent; the last message may pass it. */
  readonly inflightBytesMax: number;
}

export class Inflights {
  readonly #limits: InflightLimits;
  #lastIndexes: LogIndex[] = [];
  #sizes: number[] = [];
  #start = 0;
  #count = 0;
  #bytes = 0;

  constructor(limits: InflightLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  isFull(): boolean {
    const { inflightCountMax, inflightBytesMax } = this.#limits;
    return this.#count >= inflightCountMax || (this.#count > 0 && this.#bytes >= inflightBytesMax);
  }

  /** Notes a message whose last entry is `lastIndex`, above that of every message noted before. */
  add(lastIndex: LogIndex, bytes: number): void {
    assert(!this.isFull(), "nothing is sent past the inflight limit");
    if (this.#count === this.#lastIndexes.length) this.#grow();
    const at = (this.#start + this.#count) % this.#lastIndexes.length;
    this.#lastIndexes[at] = lastIndex;
    this.#sizes[at] = bytes;
    this.#count += 1;
    this.#bytes += bytes;
  }

  /** Forgets every message whose last entry is at or below `index`. */
  freeUpTo(index: LogIndex): void {
    while (this.#count > 0 && (this.#lastIndexes[this.#start] as LogIndex) <= index) {
      this.#bytes -= this.#sizes[this.#start] as number;
      this.#start = (this.#start + 1) % this.#lastIndexes.length;
      this.#count -= 1;
    }
    assert(this.#count > 0 || this.#bytes === 0, "an empty window holds no bytes");
  }

  reset(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    const lastIndexes: LogIndex[] = [];
    const sizes: number[] = [];
    for (let i = 0; i < this.#count; i++) {
      const at = (this.#start + i) % this.#lastIndexes.length;
      lastIndexes.push(this.#lastIndexes[at] as LogIndex);
      sizes.push(this.#sizes[at] as number);
    }
    const capacity = Math.min(Math.max(4, this.#count * 2), this.#limits.inflightCountMax);
    while (lastIndexes.length < capacity) {
      lastIndexes.push(0);
      sizes.push(0);
    }
    this.#lastIndexes = lastIndexes;
    this.#sizes = sizes;
    this.#start = 0;
  }
}
