/** Numbers as the bodies of messages, some of them longer than they have to be. */

import type { ConsumedMessage } from "@quorumlog/client";
import type { Prng } from "@quorumlog/std";

const LARGE_CHANCE = 0.1;
const BYTES_MAX = 8_192;
const FILLER = " ";

export function bodyOf(value: number, prng: Prng): string {
  const text = String(value);
  return prng.chance(LARGE_CHANCE) ? text.padEnd(prng.below(BYTES_MAX), FILLER) : text;
}

/** @returns its number; or its text, if it is none that was written. */
export function valueIn(message: ConsumedMessage): number | string {
  const text = message.text();
  return /^\d+ *$/u.test(text) ? Number(text) : text;
}
