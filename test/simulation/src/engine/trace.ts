/**
 * The fingerprint of a run, and on demand its story in text.
 *
 * Every event is mixed into a 64-bit hash (two 32-bit lanes in the manner of FNV-1a). Two runs of a
 * seed must end with the same hash: if they do not, something outside the seed has decided.
 */

import type { EventQueue } from "./event-queue.ts";

/** Kinds of traced events; their numbers only have to differ. */
export const TRACE = {
  turn: 1,
  send: 2,
  deliver: 3,
  write: 5,
  sync: 6,
  apply: 7,
  crash: 8,
  start: 9,
  invoke: 11,
  complete: 12,
  fault: 13,
  commit: 14,
  event: 15,
} as const;

export class Trace {
  #high = 0x811c9dc5;
  #low = 0x01000193;
  readonly #queue: EventQueue;
  readonly #sink: ((line: string) => void) | undefined;

  /** @param sink - Takes the story, line by line; without one, none is written. */
  constructor(queue: EventQueue, sink: ((line: string) => void) | undefined) {
    this.#queue = queue;
    this.#sink = sink;
  }

  /** Mixes an event in, with the time and up to three numbers that tell it from others. */
  event(kind: number, a: number, b: number, c = 0): void {
    this.#mix(kind);
    this.#mix(this.#queue.now);
    this.#mix(a);
    this.#mix(b);
    this.#mix(c);
  }

  /** Mixes text in, for what has no numbers. */
  text(value: string): void {
    for (let i = 0; i < value.length; i++) this.#mix(value.charCodeAt(i));
  }

  /** Writes a line of the story; `line` is not called if nobody reads it. */
  note(line: () => string): void {
    if (this.#sink === undefined) return;
    const seconds = (this.#queue.now / 1_000_000).toFixed(6).padStart(11);
    this.#sink(`${seconds} ${line()}`);
  }

  get isWritten(): boolean {
    return this.#sink !== undefined;
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return hex(this.#high) + hex(this.#low);
  }

  #mix(value: number): void {
    // Numbers above 2^32 (times, contexts) count with both halves.
    const folded = (value | 0) ^ Math.imul(Math.floor(value / 2 ** 32), 0x9e3779b1);
    this.#high = Math.imul(this.#high ^ folded, 0x01000193);
    this.#low = Math.imul((this.#low ^ (this.#high >>> 15) ^ folded) | 0, 0x85ebca6b);
  }
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, "0");
}
