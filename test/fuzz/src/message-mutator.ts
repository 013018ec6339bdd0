/**
 * Protobuf messages that decode, and say what none says: fields that are gone, twice, or of other
 * values. It knows no schema: whatever reads as a message within a message is taken for one.
 */

import type { Prng } from "@quorumlog/std";
import { mutateBytes, randomBytes } from "./byte-mutator.ts";

interface Field {
  readonly number: number;
  readonly wireType: number;
  /** As it is on the wire, behind the tag and, if there is one, the length. */
  readonly value: Buffer;
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** 0, -1 as 64 bits, and what lies around the bounds of 16, 32, 53 and 64 bits. */
const NUMBERS: readonly bigint[] = [
  0n,
  1n,
  2n,
  65_535n,
  65_536n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const TEXTS: readonly string[] = [
  "",
  "*",
  "a || ",
  "||",
  "\0\u001B[2J",
  '"\\"',
  "\u{1F600}",
  "x".repeat(128),
  "é".repeat(300),
  "y".repeat(70_000),
];
const CHANGES_MAX = 3;
const NUMBER_MAX = 20;
/** What repeats itself within what repeats itself is soon larger than anything that is taken. */
const BYTES_MAX = 2 * 1024 * 1024;

/** @returns `undefined` for bytes that do not read as a message, or become too many. */
export function mutateMessage(prng: Prng, bytes: Uint8Array): Buffer | undefined {
  const fields = fieldsOf(Buffer.from(bytes));
  if (fields === undefined) return undefined;
  for (let left = 1 + prng.below(CHANGES_MAX); left > 0; left--) changeOne(prng, fields);
  const changed = encoded(fields);
  return changed.length <= BYTES_MAX ? changed : undefined;
}

function changeOne(prng: Prng, fields: Field[]): void {
  const dice = prng.below(10);
  if (fields.length === 0 || dice === 0) {
    const value = prng.below(2) === 0 ? randomBytes(prng, prng.below(20)) : Buffer.alloc(0);
    fields.push({ number: 1 + prng.below(NUMBER_MAX), wireType: BYTES, value });
    return;
  }
  const at = prng.below(fields.length);
  const field = fields[at] as Field;
  if (dice === 1) fields.splice(at, 1);
  else if (dice === 2)
    fields.splice(at, 0, ...Array.from({ length: 1 + prng.below(50) }, () => field));
  else if (dice === 3) fields.splice(at, 1, { ...field, number: 1 + prng.below(NUMBER_MAX) });
  else fields.splice(at, 1, otherValue(prng, field));
}

function otherValue(prng: Prng, field: Field): Field {
  if (field.wireType !== BYTES)
    return { ...field, wireType: VARINT, value: varint(prng.pick(NUMBERS)) };
  const dice = prng.below(4);
  const within = dice < 2 ? mutateMessage(prng, field.value) : undefined;
  if (within !== undefined) return { ...field, value: within };
  if (dice === 2) return { ...field, value: Buffer.from(prng.pick(TEXTS)) };
  return { ...field, value: mutateBytes(prng, field.value) };
}

function fieldsOf(bytes: Buffer): Field[] | undefined {
  const fields: Field[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = readVarint(bytes, at);
    if (tag === undefined) return undefined;
    const wireType = Number(tag.value & 7n);
    const number = Number(tag.value >> 3n);
    if (number < 1 || number > 1_000) return undefined;
    const [from, to] = valueRange(bytes, tag.end, wireType) ?? [0, -1];
    if (to < from || to > bytes.length) return undefined;
    fields.push({ number, wireType, value: bytes.subarray(from, to) });
    at = to;
  }
  return fields;
}

function valueRange(
  bytes: Buffer,
  at: number,
  wireType: number,
): readonly [number, number] | undefined {
  if (wireType === FIXED64) return [at, at + 8];
  if (wireType === FIXED32) return [at, at + 4];
  const number = readVarint(bytes, at);
  if (number === undefined) return undefined;
  if (wireType === VARINT) return [at, number.end];
  return wireType === BYTES ? [number.end, number.end + Number(number.value)] : undefined;
}

function encoded(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.flatMap(({ number, wireType, value }) => {
      const tag = varint(BigInt(number * 8 + wireType));
      return wireType === BYTES ? [tag, varint(BigInt(value.length)), value] : [tag, value];
    }),
  );
}

function readVarint(
  bytes: Buffer,
  from: number,
): { readonly value: bigint; readonly end: number } | undefined {
  let value = 0n;
  for (let at = from, shift = 0n; at < bytes.length && shift < 70n; at++, shift += 7n) {
    const byte = bytes[at] as number;
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return { value, end: at + 1 };
  }
  return undefined;
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 127n; left >>= 7n) bytes.push(Number(left & 127n) | 128);
  bytes.push(Number(left));
  return Buffer.from(bytes);
}
