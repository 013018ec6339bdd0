/**
 * Memory for large messages on their way to grpc-js, used again and again.
 *
 * grpc-js copies each message that it is given into a frame of its own, with `copy`, once, and does
 * not look at it afterwards; repeated sends are of the frame. So the memory is free when that call
 * returns. New memory for each message costs more than its bytes: V8 collects its young generation
 * for every 32 MiB of buffers.
 */

/** Larger messages are rare, and take memory of their own. */
const BYTES_MAX = 4 << 20;
/** A buffer of few bytes is not worth keeping. */
const BYTES_MIN = 64 << 10;
/** Most of the time one is in use. */
const COUNT_MAX = 4;

const free: Buffer[] = [];

/**
 * @param bytes - Of the message.
 * @returns memory of that length. If its `copy` is called, it is another message's after that; if
 *   it never is, the memory is its owner's.
 */
export function scratch(bytes: number): Buffer {
  if (bytes < BYTES_MIN || bytes > BYTES_MAX) return Buffer.allocUnsafe(bytes);
  const at = free.findIndex((each) => each.length >= bytes);
  const [memory = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(bytes)))] =
    at === -1 ? [] : free.splice(at, 1);
  return Object.assign(memory.subarray(0, bytes), { copy: copyOnce(memory) });
}

function copyOnce(memory: Buffer): Buffer["copy"] {
  let isFree = false;
  return function copy(this: Buffer, ...args): number {
    const count = Buffer.prototype.copy.apply(this, args);
    if (!isFree && free.length < COUNT_MAX) free.push(memory);
    isFree = true;
    return count;
  };
}
