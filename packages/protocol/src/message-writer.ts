/**
 * Encodes a message whose batches are most of its bytes: they are copied once, into their place.
 *
 * A writer of protobufjs copies what it is given into a buffer that grows, each message within a
 * message once more when its length is known, and everything at the end: a container of a megabyte
 * was copied four times, and took five megabytes of new memory.
 *
 *     small fields ──> buffer ──────────────┐
 *     large bytes ───> where they belong ───┴── finish ──> one buffer of the right size
 */

import protobuf from "protobufjs/minimal.js";
import { scratch } from "./frame-scratch.ts";

/** Fewer are copied into the buffer of the small fields: to remember them costs as much. */
const LARGE_BYTES = 1_024;

/** Bytes that belong behind the first `at` of the small fields. */
interface Insertion {
  at: number;
  readonly bytes: Uint8Array;
}

export class MessageWriter extends protobuf.BufferWriter {
  readonly #insertions: Insertion[] = [];
  #insertedBytes = 0;
  /** What had been inserted when a message within this one was begun, for each that is open. */
  readonly #insertedBefore: number[] = [];

  /** @param value - Borrowed until `finish`, if it is large. */
  override bytes(value: Uint8Array): this {
    if (value.length < LARGE_BYTES) return super.bytes(value) as this;
    this.uint32(value.length);
    this.#insertions.push({ at: this.pos, bytes: value });
    this.#insertedBytes += value.length;
    return this;
  }

  override fork(): this {
    this.#insertedBefore.push(this.#insertedBytes);
    return super.fork() as this;
  }

  override ldelim(): this {
    const inserted = this.#insertedBytes - (this.#insertedBefore.pop() ?? 0);
    if (inserted === 0) return super.ldelim() as this;
    // The length goes before what was written since, which moves; so does where bytes belong.
    const start = (this.states?.pop() ?? 0) + 1;
    const end = this.pos;
    const length = end - start + inserted;
    // As long as it will be: the byte that `fork` has left for it is one of them.
    this.uint32(length);
    const more = this.pos - end - 1;
    this.buf.copyWithin(start + more, start, end);
    this.pos = start - 1;
    this.uint32(length);
    this.pos = end + more;
    for (let i = this.#insertions.length - 1; i >= 0; i--) {
      const insertion = this.#insertions[i] as Insertion;
      if (insertion.at < start) break;
      insertion.at += more;
    }
    return this;
  }

  /**
   * The writer is done.
   *
   * @returns bytes that are the caller's until they are copied, by `copy`, for the first time: a
   *   large message's memory is another one's then ({@link scratch}).
   */
  override finish(): Buffer {
    const small = this.buf.subarray(0, this.pos);
    if (this.#insertedBytes === 0) return Buffer.from(small.buffer, small.byteOffset, small.length);
    const whole = scratch(this.pos + this.#insertedBytes);
    let from = 0;
    let end = 0;
    for (const { at, bytes } of this.#insertions) {
      whole.set(small.subarray(from, at), end);
      whole.set(bytes, end + at - from);
      end += at - from + bytes.length;
      from = at;
    }
    whole.set(small.subarray(from), end);
    return whole;
  }
}
