/** What is kept of a line, and of lines behind each other, instead of the text. */

import { crc32 } from "node:zlib";

const COLON = 0x3a;
const ZERO = 0x30;
const BASE = 10;
const FOLD = 31;

export function lineHash(line: Uint8Array): number {
  return crc32(line);
}

/** Of lines in their order: begins with 0. */
export function foldHash(fold: number, hash: number): number {
  return (Math.imul(fold, FOLD) + hash) | 0;
}

/** @returns the number in front of a line; -1 if there is none. */
export function lineNumber(line: Uint8Array): number {
  let number = 0;
  for (let i = 0; i < line.length; i++) {
    const byte = line[i] as number;
    if (byte === COLON && i > 0) return number;
    if (byte < ZERO || byte >= ZERO + BASE) return -1;
    number = number * BASE + (byte - ZERO);
  }
  return -1;
}
