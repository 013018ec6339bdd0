/**
 * Memory of buffers that is used again, of sizes that differ.
 *
 * New memory for each large buffer costs more than its bytes: V8 collects its young generation for
 * every 32 MiB of them.
 */

import { required } from "@quorumlog/std";

export interface SpareMemoryOptions {
  /** Buffers of less are of no consequence: they are always new. In bytes, as the others. */
  readonly bytesMin: number;
  /** Buffers of more are rare, and always new. */
  readonly bytesMax: number;
  /** In all, of what nobody uses. */
  readonly spareBytesMax: number;
}

/** Of which a buffer is a multiple, so that one of nearly the same size finds it large enough. */
const STEP_BYTES = 16 << 10;

export class SpareMemory {
  readonly #options: SpareMemoryOptions;
  /** In ascending order of their lengths. */
  readonly #spare: Buffer[] = [];
  #spareBytes = 0;

  constructor(options: SpareMemoryOptions) {
    this.#options = options;
  }

  /** Of buffers that nobody uses. */
  get spareBytes(): number {
    return this.#spareBytes;
  }

  /** @returns at least so many bytes, whatever is in them; the smallest spare buffer that fits. */
  take(bytes: number): Buffer {
    const { bytesMin, bytesMax } = this.#options;
    if (bytes < bytesMin || bytes > bytesMax) return Buffer.allocUnsafe(bytes);
    const at = this.#firstOf(bytes);
    if (at === this.#spare.length)
      return Buffer.allocUnsafeSlow(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES);
    return this.#remove(at);
  }

  /**
   * Of what there is no room for the smallest goes: others fit into the larger ones.
   *
   * @param memory - As `take` has returned it, once; nobody looks at it any more.
   */
  give(memory: Buffer): void {
    const { bytesMin, bytesMax, spareBytesMax } = this.#options;
    const { length } = memory;
    if (length < bytesMin || length > bytesMax + STEP_BYTES) return;
    let room = spareBytesMax - this.#spareBytes;
    let smaller = 0;
    for (; room < length; smaller++) {
      const bytes = this.#spare[smaller]?.length ?? length;
      if (bytes >= length) return;
      room += bytes;
    }
    while (smaller-- > 0) this.#remove(0);
    this.#spare.splice(this.#firstOf(length), 0, memory);
    this.#spareBytes += length;
  }

  /** @returns where the first one of so many bytes is, or would be. */
  #firstOf(bytes: number): number {
    const at = this.#spare.findIndex(({ length }) => length >= bytes);
    return at === -1 ? this.#spare.length : at;
  }

  #remove(at: number): Buffer {
    const [memory] = this.#spare.splice(at, 1);
    const removed = required(memory, "there is one");
    this.#spareBytes -= removed.length;
    return removed;
  }
}
