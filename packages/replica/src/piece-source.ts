/** Bytes in pieces of any size: the first of them as asked for, the others as they come. */

import { asBuffer } from "./byte-order.ts";

export class PieceSource {
  readonly #pieces: Iterator<Uint8Array>;
  /** What was pulled, and not taken. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(pieces: Iterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.iterator]();
  }

  /** @returns so many bytes, or `undefined` if there are fewer: those are still to be taken. */
  take(bytes: number): Buffer | undefined {
    if (this.#rest.length >= bytes) return this.#split(this.#rest, bytes);
    const parts: Buffer[] = [this.#rest];
    let length = this.#rest.length;
    while (length < bytes) {
      const next = this.#pieces.next();
      if (next.done === true) break;
      parts.push(asBuffer(next.value));
      length += next.value.byteLength;
    }
    const [first, ...others] = parts;
    const all = others.length === 0 ? (first as Buffer) : Buffer.concat(parts);
    if (length >= bytes) return this.#split(all, bytes);
    this.#rest = all;
    return undefined;
  }

  /** Whether all that came was taken. Of what is yet to come it knows nothing. */
  get isAtEnd(): boolean {
    return this.#rest.length === 0;
  }

  /** All that was not taken, piece by piece, as it is pulled. */
  *rest(): Generator<Uint8Array> {
    if (this.#rest.length > 0) yield this.#rest;
    this.#rest = Buffer.alloc(0);
    for (let next = this.#pieces.next(); next.done !== true; next = this.#pieces.next())
      yield next.value;
  }

  #split(all: Buffer, bytes: number): Buffer {
    this.#rest = all.subarray(bytes);
    return all.subarray(0, bytes);
  }
}
