/**
 * Has V8 collect its old heap seldom, in a process that is a broker and nothing else.
 *
 * V8 decides by what has come since the last time in relation to what the heap holds, and what has
 * come counts the bytes of all buffers, which are not in it. The heap of a broker is small, and
 * what flows through it is large: without this it was looked through six times a second under
 * load, for a third of the leader's CPU.
 */

import { getHeapStatistics, setFlagsFromString } from "node:v8";

const HEADROOM_BYTES = 128 * 1024 * 1024;
/** What V8 grows a heap by of itself, about. */
const PERCENT_MIN = 50;
/** The share follows the heap. */
const ADJUST_MS = 10_000;

/**
 * The old heap is looked through after so many bytes have come, whatever it holds; a large one as
 * ever. It is a flag of the whole process: a library that is a guest in one leaves it alone.
 */
export function giveHeapHeadroom(): void {
  adjust();
  setInterval(adjust, ADJUST_MS).unref();
}

function adjust(): void {
  const percent = Math.round((100 * HEADROOM_BYTES) / getHeapStatistics().used_heap_size);
  setFlagsFromString(`--heap-growing-percent=${Math.max(PERCENT_MIN, percent)}`);
}
