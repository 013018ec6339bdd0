// Goal: the sum of small things is zlib's, as their payloads are summed by zlib.

import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { Prng, smallChecksum } from "../src/index.ts";

test("it is the sum that zlib has, for any bytes and seed", () => {
  const prng = new Prng(1);
  for (let round = 0; round < 500; round++) {
    const bytes = Uint8Array.from({ length: prng.below(80) }, () => prng.below(256));
    const seed = prng.uint32();
    expect(smallChecksum(bytes, 0, bytes.length, seed)).toBe(crc32(bytes, seed));
  }
});
