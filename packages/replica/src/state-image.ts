/**
 * The bytes of a state: numbers, one after another, each a double (little endian).
 *
 * Equal states give equal bytes, on every machine. A list is its length and its items; bytes are
 * their length and themselves; a text is that of its UTF-8.
 */

import { assert } from "@quorumlog/std";

export const NUMBER_BYTES = 8;
const FIRST_BYTES = 4096;

export class ImageWriter {
  #target = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;

  number(...values: readonly number[]): void {
    for (const value of values) {
      if (this.#at + NUMBER_BYTES > this.#target.length) this.#grow();
      this.#target.writeDoubleLE(value, this.#at);
      this.#at += NUMBER_BYTES;
    }
  }

  list<T>(
    items: Iterable<T> & ({ readonly size: number } | { readonly length: number }),
    write: (item: T) => void,
  ): void {
    this.number("size" in items ? items.size : items.length);
    for (const item of items) write(item);
  }

  bytes(value: Uint8Array): void {
    this.number(value.byteLength);
    while (this.#at + value.byteLength > this.#target.length) this.#grow();
    this.#target.set(value, this.#at);
    this.#at += value.byteLength;
  }

  text(value: string): void {
    this.bytes(Buffer.from(value, "utf8"));
  }

  /** What was written; belongs to the caller. */
  finish(): Buffer {
    return this.#target.subarray(0, this.#at);
  }

  #grow(): void {
    const larger = Buffer.allocUnsafe(this.#target.length * 2);
    this.#target.copy(larger);
    this.#target = larger;
  }
}

/** Reads what an {@link ImageWriter} wrote. The bytes were under a checksum: they are sound. */
export class ImageReader {
  readonly #source: Buffer;
  #at = 0;

  constructor(source: Buffer) {
    this.#source = source;
  }

  number(): number {
    assert(this.#at + NUMBER_BYTES <= this.#source.length, "a state's image is whole");
    const value = this.#source.readDoubleLE(this.#at);
    this.#at += NUMBER_BYTES;
    return value;
  }

  list(readItem: () => void): void {
    const length = this.number();
    for (let i = 0; i < length; i++) readItem();
  }

  /** A copy. */
  bytes(): Buffer {
    const length = this.number();
    assert(this.#at + length <= this.#source.length, "a state's image is whole");
    const value = Buffer.from(this.#source.subarray(this.#at, this.#at + length));
    this.#at += length;
    return value;
  }

  text(): string {
    return this.bytes().toString("utf8");
  }
}
