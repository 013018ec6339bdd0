/**
 * A record batch, for the spike: encoded once by the client, walked by length on the leader.
 *
 *     crc 4 | queue 4 | count 4 | bytes 4 | { length 4, body } * count
 */

import { crc32 } from "node:zlib";

const HEADER_BYTES = 16;

export class BatchBuilder {
  readonly #buffer: Buffer;
  readonly #queue: number;
  #end = HEADER_BYTES;
  count = 0;

  constructor(queue: number, capacity: number) {
    this.#queue = queue;
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  get bytes(): number {
    return this.#end;
  }

  hasRoom(body: Buffer): boolean {
    return this.#end + 4 + body.length <= this.#buffer.length;
  }

  add(body: Buffer): void {
    this.#buffer.writeUInt32LE(body.length, this.#end);
    body.copy(this.#buffer, this.#end + 4);
    this.#end += 4 + body.length;
    this.count += 1;
  }

  seal(): Buffer {
    this.#buffer.writeUInt32LE(this.#queue, 4);
    this.#buffer.writeUInt32LE(this.count, 8);
    this.#buffer.writeUInt32LE(this.#end, 12);
    this.#buffer.writeUInt32LE(crc32(this.#buffer.subarray(4, this.#end)), 0);
    return this.#buffer.subarray(0, this.#end);
  }
}

/** Calls back for each batch of a container, after checking that lengths and counts agree. */
export function walkContainer(
  container: Buffer,
  onBatch: (queue: number, count: number, at: number) => void,
): void {
  for (let start = 0; start < container.length;) {
    const count = container.readUInt32LE(start + 8);
    const end = start + container.readUInt32LE(start + 12);
    let at = start + HEADER_BYTES;
    for (let record = 0; record < count; record++) at += 4 + container.readUInt32LE(at);
    if (at !== end) throw new Error("a batch lies about its count");
    onBatch(container.readUInt32LE(start + 4), count, start);
    start = end;
  }
}
