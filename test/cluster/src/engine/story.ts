/**
 * The fingerprint of a run, and on demand its story in text.
 *
 * What happens is mixed into a hash of two 32-bit lanes, in the manner of FNV-1a. Two runs of a
 * seed must end with the same one: if they do not, something outside the seed has decided.
 */

import type { EventQueue } from "./event-queue.ts";

export class Story {
  readonly #queue: EventQueue;
  readonly #sink: ((line: string) => void) | undefined;
  readonly #counts = new Map<string, number>();
  #high = 0x811c9dc5;
  #low = 0x01000193;

  /** @param sink - Takes the story, line by line; without one, none is written. */
  constructor(queue: EventQueue, sink: ((line: string) => void) | undefined) {
    this.#queue = queue;
    this.#sink = sink;
  }

  /** Mixes an event in, with the time and numbers that tell it from others. */
  mix(...values: readonly number[]): void {
    this.#mix(Math.round(this.#queue.now() * 1_000));
    for (const value of values) this.#mix(value);
  }

  /** Counts a rare path that was taken, or whatever else is of interest. */
  count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    for (let i = 0; i < name.length; i++) this.#mix(name.charCodeAt(i));
    this.mix();
  }

  /** Writes a line of the story; `line` is not called if nobody reads it. */
  note(line: () => string): void {
    if (this.#sink === undefined) return;
    this.#sink(`${this.#queue.now().toFixed(3).padStart(12)} ${line()}`);
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return hex(this.#high) + hex(this.#low);
  }

  #mix(value: number): void {
    // Numbers above 2^32 count with both halves.
    const folded = (value | 0) ^ Math.imul(Math.floor(value / 2 ** 32), 0x9e3779b1);
    this.#high = Math.imul(this.#high ^ folded, 0x01000193);
    this.#low = Math.imul((this.#low ^ (this.#high >>> 15) ^ folded) | 0, 0x85ebca6b);
  }
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, "0");
}
