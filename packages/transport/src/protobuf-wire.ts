/**
 * As much of protobuf's wire format as a handshake needs: varints, and bytes behind their length.
 * https://protobuf.dev/programming-guides/encoding/
 */

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;
const FIELD_NUMBER_MAX = 2 ** 29 - 1;
const VARINT_BYTES_MAX = 10;

export class FieldWriter {
  readonly #bytes: number[] = [];

  /** @param value - A safe integer, 0 or more. */
  varint(field: number, value: number): this {
    this.#varint(field * 8 + VARINT);
    this.#varint(value);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#varint(field * 8 + LENGTH_DELIMITED);
    this.#varint(value.byteLength);
    for (const byte of value) this.#bytes.push(byte);
    return this;
  }

  text(field: number, value: string): this {
    return this.bytes(field, Buffer.from(value, "utf8"));
  }

  packed(field: number, values: readonly number[]): this {
    if (values.length === 0) return this;
    const inner = new FieldWriter();
    for (const value of values) inner.#varint(value);
    return this.bytes(field, inner.finish());
  }

  finish(): Buffer {
    return Buffer.from(this.#bytes);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes.push((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes.push(rest);
  }
}

/** One field, as it stood in the bytes. */
export interface WireField {
  readonly number: number;
  /** Where its tag begins. */
  readonly start: number;
  /** Behind its last byte. */
  readonly end: number;
  /** A number, if it is one; above 2^53 only roughly right. */
  readonly value: number | Uint8Array | undefined;
}

/** @returns `undefined` if the bytes are no protobuf. */
export function readFields(bytes: Uint8Array): WireField[] | undefined {
  const fields: WireField[] = [];
  let at = 0;
  while (at < bytes.byteLength) {
    const start = at;
    const tag = readVarint(bytes, at);
    if (tag === undefined) return undefined;
    const number = Math.floor(tag.value / 8);
    if (number < 1 || number > FIELD_NUMBER_MAX) return undefined;
    const read = readValue(bytes, tag.end, tag.value % 8);
    if (read === undefined || read.end > bytes.byteLength) return undefined;
    fields.push({ number, start, end: read.end, value: read.value });
    at = read.end;
  }
  return fields;
}

/** The numbers of a packed field. */
export function readPacked(bytes: Uint8Array): number[] | undefined {
  const values: number[] = [];
  let at = 0;
  while (at < bytes.byteLength) {
    const read = readVarint(bytes, at);
    if (read === undefined) return undefined;
    values.push(read.value);
    at = read.end;
  }
  return values;
}

interface Read<T> {
  readonly value: T;
  readonly end: number;
}

function readValue(
  bytes: Uint8Array,
  at: number,
  wireType: number,
): Read<number | Uint8Array | undefined> | undefined {
  if (wireType === VARINT) return readVarint(bytes, at);
  if (wireType === FIXED64) return { value: undefined, end: at + 8 };
  if (wireType === FIXED32) return { value: undefined, end: at + 4 };
  if (wireType !== LENGTH_DELIMITED) return undefined;
  const length = readVarint(bytes, at);
  if (length === undefined) return undefined;
  const end = length.end + length.value;
  return { value: bytes.subarray(length.end, end), end };
}

function readVarint(bytes: Uint8Array, at: number): Read<number> | undefined {
  let value = 0;
  for (let i = 0; i < VARINT_BYTES_MAX; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: at + i + 1 };
  }
  return undefined;
}
