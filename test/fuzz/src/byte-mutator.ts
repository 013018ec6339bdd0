/** Bytes that are nearly what they were. */

import type { Prng } from "@quorumlog/std";

const EDGES = [0, 1, 0x7f, 0x80, 0xfe, 0xff];
const WORDS = [0, 1, 0x7f_ff, 0xff_ff, 0x7f_ff_ff_ff, 0x80_00_00_00, 0xff_ff_ff_ff];
const CHANGES_MAX = 4;
const INSERTED_MAX = 40;

type Change = (bytes: Buffer, prng: Prng) => Buffer;

const CHANGES: readonly Change[] = [flipBit, setByte, setWord, cut, insert, remove, repeat];

/** @returns others, of their own; empty ones get some. */
export function mutateBytes(prng: Prng, bytes: Uint8Array): Buffer {
  let changed: Buffer = Buffer.from(bytes);
  for (let left = 1 + prng.below(CHANGES_MAX); left > 0; left--)
    changed = changed.length === 0 ? insert(changed, prng) : prng.pick(CHANGES)(changed, prng);
  return changed;
}

export function randomBytes(prng: Prng, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => prng.below(256)));
}

function flipBit(bytes: Buffer, prng: Prng): Buffer {
  const at = prng.below(bytes.length);
  bytes[at] = (bytes[at] as number) ^ (1 << prng.below(8));
  return bytes;
}

function setByte(bytes: Buffer, prng: Prng): Buffer {
  bytes[prng.below(bytes.length)] = prng.pick(EDGES);
  return bytes;
}

function setWord(bytes: Buffer, prng: Prng): Buffer {
  if (bytes.length < 4) return setByte(bytes, prng);
  bytes.writeUInt32LE(prng.pick(WORDS), prng.below(bytes.length - 3));
  return bytes;
}

function cut(bytes: Buffer, prng: Prng): Buffer {
  return bytes.subarray(0, prng.below(bytes.length));
}

function insert(bytes: Buffer, prng: Prng): Buffer {
  const at = prng.below(bytes.length + 1);
  const inserted = randomBytes(prng, 1 + prng.below(INSERTED_MAX));
  return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at)]);
}

function remove(bytes: Buffer, prng: Prng): Buffer {
  const [from, to] = rangeOf(bytes, prng);
  return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
}

function repeat(bytes: Buffer, prng: Prng): Buffer {
  const [from, to] = rangeOf(bytes, prng);
  return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
}

function rangeOf(bytes: Buffer, prng: Prng): readonly [number, number] {
  const from = prng.below(bytes.length);
  return [from, from + 1 + prng.below(bytes.length - from)];
}
