/** The fingerprint of a run, and on demand its story in text. */

import type { EventQueue } from "./event-queue.ts";
import { Fingerprint } from "./fingerprint.ts";

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
  readonly #fingerprint = new Fingerprint();
  readonly #queue: EventQueue;
  readonly #sink: ((line: string) => void) | undefined;

  /** @param sink - Takes the story, line by line; without one, none is written. */
  constructor(queue: EventQueue, sink: ((line: string) => void) | undefined) {
    this.#queue = queue;
    this.#sink = sink;
  }

  /** Mixes an event in, with the time and up to three numbers that tell it from others. */
  event(kind: number, a: number, b: number, c = 0): void {
    this.#fingerprint.mix(kind);
    this.#fingerprint.mix(this.#queue.now);
    this.#fingerprint.mix(a);
    this.#fingerprint.mix(b);
    this.#fingerprint.mix(c);
  }

  /** Mixes text in, for what has no numbers. */
  text(value: string): void {
    this.#fingerprint.mixText(value);
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
    return this.#fingerprint.hash;
  }
}
