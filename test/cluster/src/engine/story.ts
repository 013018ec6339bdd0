/** The fingerprint of a run, and on demand its story in text. */

import { Fingerprint } from "@quorumlog/simulation";
import type { EventQueue } from "./event-queue.ts";

export class Story {
  readonly #queue: EventQueue;
  readonly #sink: ((line: string) => void) | undefined;
  readonly #counts = new Map<string, number>();
  readonly #fingerprint = new Fingerprint();

  /** @param sink - Takes the story, line by line; without one, none is written. */
  constructor(queue: EventQueue, sink: ((line: string) => void) | undefined) {
    this.#queue = queue;
    this.#sink = sink;
  }

  /** Mixes an event in, with the time and numbers that tell it from others. */
  mix(...values: readonly number[]): void {
    this.#fingerprint.mix(Math.round(this.#queue.now() * 1_000));
    for (const value of values) this.#fingerprint.mix(value);
  }

  /** Counts a rare path that was taken, or whatever else is of interest. */
  count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    this.#fingerprint.mixText(name);
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
    return this.#fingerprint.hash;
  }
}
