/** What a batch's header says of its records for brokers to read: tags, and hashes of keys. */

import { keyHash } from "./key-hash.ts";

const TAGS_MAX = 255;
const KEYS_MAX = 65_535;

export class BatchLabels {
  /** Their numbers, from 1. */
  readonly #tags = new Map<string, number>();
  /** Of each record, 0 for none; up to the last one that has a tag. */
  readonly #tagNumbers: number[] = [];
  readonly #keyHashes = new Set<number>();

  get tagCount(): number {
    return this.#tags.size;
  }

  get keyCount(): number {
    return this.#keyHashes.size;
  }

  hasRoomFor(tag: string | undefined, keys: readonly string[] = []): boolean {
    if (this.#keyHashes.size + keys.length > KEYS_MAX) return false;
    return tag === undefined || this.#tags.has(tag) || this.#tags.size < TAGS_MAX;
  }

  /** @param number - Of the record in its batch. */
  add(number: number, tag: string | undefined, keys: readonly string[] = []): void {
    for (const key of keys) this.#keyHashes.add(keyHash(key));
    if (tag === undefined) return;
    const known = this.#tags.get(tag) ?? this.#tags.size + 1;
    this.#tags.set(tag, known);
    while (this.#tagNumbers.length < number) this.#tagNumbers.push(0);
    this.#tagNumbers.push(known);
  }

  /**
   * As they follow the header's fields: hashes, tags, and the number of each record's tag.
   *
   * @param recordCount - Of the batch.
   */
  encode(recordCount: number): Buffer {
    const hashes = Buffer.allocUnsafe(4 * this.#keyHashes.size);
    let at = 0;
    for (const hash of this.#keyHashes) at = hashes.writeUInt32LE(hash, at);
    const parts: Buffer[] = [hashes];
    for (const tag of this.#tags.keys()) {
      const text = Buffer.from(tag);
      parts.push(Buffer.of(text.length), text);
    }
    if (this.#tags.size > 0) {
      const numbers = Buffer.alloc(recordCount);
      numbers.set(this.#tagNumbers);
      parts.push(numbers);
    }
    return Buffer.concat(parts);
  }
}
