/**
 * Numbers as bytes, little endian, one after another.
 *
 * A reader never looks beyond its bytes: what is not there, or is no safe integer, makes it
 * unsound, and everything it says from then on is 0. Whoever reads asks once, at the end. A writer
 * is made as large as what it is for: running out of it is a bug.
 */

import { assert } from "@quorumlog/std";

const UINT32_MAX = 2 ** 32 - 1;

/** The same bytes, not copied. */
export function asBuffer(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;
  #isSound = true;

  constructor(bytes: Uint8Array) {
    this.#bytes = asBuffer(bytes);
  }

  /** Whether everything that was asked for was there. */
  get isSound(): boolean {
    return this.#isSound;
  }

  /** Bytes behind those that were read. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** Whether everything was there, and nothing is left. */
  get isWhole(): boolean {
    return this.#isSound && this.remaining === 0;
  }

  uint8(): number {
    return this.#has(1) ? this.#bytes.readUInt8(this.#pass(1)) : 0;
  }

  uint16(): number {
    return this.#has(2) ? this.#bytes.readUInt16LE(this.#pass(2)) : 0;
  }

  uint32(): number {
    return this.#has(4) ? this.#bytes.readUInt32LE(this.#pass(4)) : 0;
  }

  /** At most `Number.MAX_SAFE_INTEGER`. */
  uint64(): number {
    if (!this.#has(8)) return 0;
    const at = this.#pass(8);
    const value = this.#bytes.readUInt32LE(at) + this.#bytes.readUInt32LE(at + 4) * 2 ** 32;
    if (Number.isSafeInteger(value)) return value;
    this.#isSound = false;
    return 0;
  }

  /** A byte that is 0 or 1. */
  flag(): boolean {
    const value = this.uint8();
    if (value > 1) this.#isSound = false;
    return value === 1;
  }

  /** The next bytes, not copied. */
  bytes(length: number): Buffer {
    if (!this.#has(length)) return this.#bytes.subarray(0, 0);
    const at = this.#pass(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Whether so many are there; it is unsound if not. */
  #has(length: number): boolean {
    if (length > this.remaining) this.#isSound = false;
    return this.#isSound;
  }

  #pass(length: number): number {
    const at = this.#at;
    this.#at += length;
    return at;
  }
}

export class ByteWriter {
  readonly #bytes: Buffer;
  #at = 0;

  /** @param bytes - All of it is written, from its start on. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get at(): number {
    return this.#at;
  }

  uint8(value: number): void {
    assert(Number.isInteger(value) && value >= 0 && value <= 0xff, "a number of 8 bits");
    this.#bytes.writeUInt8(value, this.#pass(1));
  }

  uint16(value: number): void {
    assert(Number.isInteger(value) && value >= 0 && value <= 0xffff, "a number of 16 bits");
    this.#bytes.writeUInt16LE(value, this.#pass(2));
  }

  uint32(value: number): void {
    assert(Number.isInteger(value) && value >= 0 && value <= UINT32_MAX, "a number of 32 bits");
    this.#bytes.writeUInt32LE(value, this.#pass(4));
  }

  uint64(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, "a safe integer, not negative");
    const at = this.#pass(8);
    this.#bytes.writeUInt32LE(value % 2 ** 32, at);
    this.#bytes.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
  }

  flag(value: boolean): void {
    this.uint8(value ? 1 : 0);
  }

  bytes(value: Uint8Array): void {
    this.#bytes.set(value, this.#pass(value.byteLength));
  }

  #pass(length: number): number {
    const at = this.#at;
    assert(at + length <= this.#bytes.length, "what is written was counted before");
    this.#at += length;
    return at;
  }
}
