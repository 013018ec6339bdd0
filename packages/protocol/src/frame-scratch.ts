/**
 * Memory for large messages on their way to grpc-js, used again and again.
 *
 * grpc-js copies each message that it is given into a frame of its own, with `copy`, once, and does
 * not look at it afterwards; repeated sends are of the frame. So the memory is free when that call
 * returns.
 */

import { assert } from "@quorumlog/std";
import { SpareMemory } from "./spare-memory.ts";

/** A buffer of few bytes is not worth keeping, and larger ones than that are rare. */
const BYTES_MIN = 64 << 10;
const BYTES_MAX = 4 << 20;

const MEMORY = new SpareMemory({
  bytesMin: BYTES_MIN,
  bytesMax: BYTES_MAX,
  spareBytesMax: 2 * BYTES_MAX,
});

/**
 * @param bytes - Of the message.
 * @returns memory of that length. If its `copy` is called, it is another message's after that, and
 *   has no bytes for a second call; if it never is, the memory is its owner's.
 */
export function scratch(bytes: number): Buffer {
  const memory = MEMORY.take(bytes);
  if (bytes < BYTES_MIN || bytes > BYTES_MAX) return memory;
  return Object.assign(memory.subarray(0, bytes), { copy: copyOnce(memory) });
}

function copyOnce(memory: Buffer): Buffer["copy"] {
  let isFree = false;
  return function copy(this: Buffer, ...args): number {
    // Another message may be there by now: it would go out in place of this one.
    assert(!isFree, "a message is copied into one frame");
    const count = Buffer.prototype.copy.apply(this, args);
    isFree = true;
    MEMORY.give(memory);
    return count;
  };
}
