/**
 * Memory for the batches of a producer, used again when a broker has answered for what was in it.
 *
 * Batches under load are of one size, and few are under way: new memory for each would have V8
 * collect its young generation several times as often.
 */

/** Smaller batches are of no consequence, and larger ones rare. */
const BYTES_MIN = 16 << 10;
const BYTES_MAX = 1 << 20;
/** In all, of what nobody uses. */
const FREE_BYTES_MAX = 8 << 20;

export class BatchMemory {
  readonly #free: Buffer[] = [];
  #freeBytes = 0;

  /** @returns at least so much, whatever is in it. */
  take(bytes: number): Buffer {
    if (bytes < BYTES_MIN || bytes > BYTES_MAX) return Buffer.allocUnsafe(bytes);
    const at = this.#free.findLastIndex((each) => each.length >= bytes);
    const [found] = at === -1 ? [] : this.#free.splice(at, 1);
    if (found === undefined) return Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(bytes)));
    this.#freeBytes -= found.length;
    return found;
  }

  /** @param memory - Of `take`, that nobody looks at any more. */
  give(memory: Buffer): void {
    const { length } = memory;
    if (length < BYTES_MIN || this.#freeBytes + length > FREE_BYTES_MAX) return;
    this.#free.push(memory);
    this.#freeBytes += length;
  }
}
