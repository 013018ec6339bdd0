/**
 * How far a run is: on a terminal one line that changes, elsewhere a line every few seconds. What
 * happens meanwhile is told above it.
 */

import { clearLine, cursorTo } from "node:readline";
import type { Writable } from "node:stream";

export interface LiveState {
  /** What goes on: start, faults, ... */
  readonly phase: string;
  /** By workload, operations that are over. */
  readonly operations: ReadonlyMap<string, number>;
  /** That have begun. */
  readonly faults: number;
  /** Names of those that go on now. */
  readonly open: readonly string[];
  readonly anomalies: number;
  /** Of the part with faults; `undefined` before and after it. */
  readonly secondsLeft: number | undefined;
}

const TERMINAL_MS = 250;
const PLAIN_MS = 5_000;

export class LiveLine {
  readonly #out: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly #look: () => LiveState;
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = performance.now();
  #before: { readonly atMs: number; readonly sum: number };
  #rate = 0;

  constructor(out: Writable & { readonly isTTY?: boolean }, look: () => LiveState) {
    this.#out = out;
    this.#look = look;
    this.#before = { atMs: this.#startedAt, sum: 0 };
    this.#timer = setInterval(
      () => {
        this.#show();
      },
      this.#isTerminal ? TERMINAL_MS : PLAIN_MS,
    );
  }

  /** A line of its own, with the time. */
  tell(line: string): void {
    this.#clear();
    const seconds = (performance.now() - this.#startedAt) / 1_000;
    this.#out.write(`${seconds.toFixed(1).padStart(6)} s  ${line}\n`);
    if (this.#isTerminal) this.#show();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#clear();
  }

  get #isTerminal(): boolean {
    return this.#out.isTTY === true;
  }

  #show(): void {
    const state = this.#look();
    this.#measure(state);
    const words = describeState(state, this.#rate);
    if (!this.#isTerminal) {
      this.#out.write(`          ${words}\n`);
      return;
    }
    this.#clear();
    // A line that wraps could not be cleared again.
    this.#out.write(words.slice(0, (this.#out.columns ?? 80) - 1));
  }

  #measure({ operations }: LiveState): void {
    const atMs = performance.now();
    const seconds = (atMs - this.#before.atMs) / 1_000;
    if (seconds < 1) return;
    const sum = [...operations.values()].reduce((total, count) => total + count, 0);
    this.#rate = (sum - this.#before.sum) / seconds;
    this.#before = { atMs, sum };
  }

  #clear(): void {
    if (!this.#isTerminal) return;
    clearLine(this.#out, 0);
    cursorTo(this.#out, 0);
  }
}

export function describeState(state: LiveState, perSecond: number): string {
  const { phase, operations, faults, open, anomalies, secondsLeft } = state;
  const counts = [...operations].map(([name, count]) => `${name} ${count}`);
  const left = secondsLeft === undefined ? "" : `, ${describeLeft(secondsLeft)}`;
  const now = open.length === 0 ? "" : ` (now ${open.join(", ")})`;
  return [
    `${phase}${left}`,
    `operations ${counts.join(", ")}: ${Math.round(perSecond)}/s`,
    `${faults} faults${now}`,
    `${anomalies} anomalies`,
  ].join(" | ");
}

/** The last faults take their time, and those that had no effect yet are begun again. */
function describeLeft(seconds: number): string {
  return seconds > 0 ? `${Math.ceil(seconds)} s left` : "until all of them are over";
}
