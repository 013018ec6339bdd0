/**
 * Memory for bytes that come and go in bulk, used again without the garbage collector.
 *
 *     take ──> held once ──hold──> held twice ──release──> ... ──release──> the slab is used again
 *
 * Buffers of tens of kilobytes, thousands of them a second, make V8 mark its whole heap for every
 * few dozen megabytes. So they are parts of slabs, and a slab is used again when every hold on its
 * parts was released. Whoever knows nothing of this releases nothing, and loses nothing: a slab
 * that is held for good is left to the garbage collector, with all views into it as good as ever.
 *
 * To release is to promise that nobody reads through this hold any more. A view that is handed to
 * somebody who made no such promise is held first, for good.
 */

import { assert } from "./assert.ts";

export interface SlabPoolOptions {
  /** Of a slab, and of the longest part of one. Default 1 MiB. */
  readonly slabBytes?: number;
  /** Slabs that wait to be used again; beyond them, they are let go. Default 64. */
  readonly freeCountMax?: number;
  /**
   * Called with a slab that is free, before it is used again: tests fill it, so that whoever reads
   * on without a hold is found out.
   */
  readonly onFree?: (slab: Uint8Array) => void;
}

interface Slab {
  readonly bytes: Uint8Array;
  readonly pool: SlabPool;
  holds: number;
}

const MIB = 1024 * 1024;
/** Parts begin at multiples of it. */
const ALIGNMENT = 8;

/** Of all pools. A slab that only its views know is collected with them. */
const slabs = new WeakMap<ArrayBufferLike, Slab>();

export class SlabPool {
  readonly #slabBytes: number;
  readonly #freeCountMax: number;
  readonly #onFree: ((slab: Uint8Array) => void) | undefined;
  readonly #free: Slab[] = [];
  /** Where parts are taken from; held by the pool itself. */
  #current: Slab | undefined;
  #fill = 0;

  constructor({ slabBytes = MIB, freeCountMax = 64, onFree }: SlabPoolOptions = {}) {
    this.#slabBytes = slabBytes;
    this.#freeCountMax = freeCountMax;
    this.#onFree = onFree;
  }

  /** The longest part that `take` gives of a slab. */
  get slabBytes(): number {
    return this.#slabBytes;
  }

  /**
   * @returns bytes of any content, held once, for the caller. More than `slabBytes` are memory of
   *   their own.
   */
  take(length: number): Uint8Array {
    if (length > this.#slabBytes) return new Uint8Array(length);
    let slab = this.#current;
    if (slab === undefined || this.#fill + length > this.#slabBytes) slab = this.#begin();
    const part = slab.bytes.subarray(this.#fill, this.#fill + length);
    this.#fill += length + ((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);
    slab.holds += 1;
    return part;
  }

  #begin(): Slab {
    const former = this.#current;
    const slab = this.#free.pop() ?? this.#make();
    slab.holds = 1;
    this.#current = slab;
    this.#fill = 0;
    if (former !== undefined) drop(former);
    return slab;
  }

  #make(): Slab {
    const slab = { bytes: new Uint8Array(this.#slabBytes), pool: this, holds: 0 };
    slabs.set(slab.bytes.buffer, slab);
    return slab;
  }

  /** @internal */
  static onFree(slab: Slab): void {
    const { pool } = slab;
    pool.#onFree?.(slab.bytes);
    if (pool.#free.length < pool.#freeCountMax) pool.#free.push(slab);
  }
}

/**
 * Holds the slab that these bytes are a part of, once more.
 *
 * @returns false for bytes of no slab, which need no hold.
 */
export function holdBytes(bytes: Uint8Array): boolean {
  const slab = slabs.get(bytes.buffer);
  if (slab === undefined) return false;
  assert(slab.holds > 0, "what is held once more is held by somebody");
  slab.holds += 1;
  return true;
}

/** Gives one hold back: nobody reads these bytes, or any view of them, on account of it. */
export function releaseBytes(bytes: Uint8Array): void {
  const slab = slabs.get(bytes.buffer);
  if (slab !== undefined) drop(slab);
}

function drop(slab: Slab): void {
  assert(slab.holds > 0, "a hold is released once");
  slab.holds -= 1;
  if (slab.holds === 0) SlabPool.onFree(slab);
}
