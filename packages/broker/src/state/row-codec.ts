/**
 * Rows of numbers: of a fixed count, as little-endian doubles. They are changed with each batch.
 */

import type { Codec } from "@quorumlog/tables";

const NUMBER_BYTES = 8;

/** Integers of up to 53 bits, told apart by their position. */
export const numbersCodec: Codec<readonly number[]> = {
  encode: (numbers) => {
    const bytes = Buffer.allocUnsafe(NUMBER_BYTES * numbers.length);
    let at = 0;
    for (const number of numbers) at = bytes.writeDoubleLE(number, at);
    return bytes;
  },
  decode: (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const count = bytes.byteLength / NUMBER_BYTES;
    return Array.from({ length: count }, (_, i) => view.getFloat64(NUMBER_BYTES * i, true));
  },
};
