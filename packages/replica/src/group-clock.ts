/**
 * What time it is, as a leader stamps it on records: that of the clock on its wall, unless that one
 * is far ahead of most others'. The log's time never goes back: one stamp from next year would let
 * everything be too old at once, and nothing grow older until then.
 */

import type { Environment } from "./environment.ts";

/** Clocks that are set by one another differ by far less. */
const AHEAD_MS_MAX = 10_000;
/** With this node, three: of two clocks nobody can say which one is wrong. */
const OTHERS_MIN = 2;

export class GroupClock {
  readonly #environment: Environment;
  /** By node id, what to add to this node's steady clock to get that one's on the wall. */
  readonly #differences = new Map<number, number>();
  /** Of the middle one of all clocks, if this node's is the first of them. */
  #middle: number | undefined;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** What another node has just said its clock shows, in milliseconds since 1970. */
  onPeer(nodeId: number, wallTime: number): void {
    this.#differences.set(nodeId, wallTime - this.#environment.now());
    this.#update();
  }

  /** It is gone, or was removed. */
  forget(nodeId: number): void {
    if (this.#differences.delete(nodeId)) this.#update();
  }

  /** Milliseconds since 1970. */
  time(): number {
    return Math.min(this.#environment.wallTime(), this.#latest());
  }

  /** How far the clock on this wall is beyond what others allow; 0 if it is not. */
  aheadMs(): number {
    return Math.max(0, Math.round(this.#environment.wallTime() - this.#latest()));
  }

  #latest(): number {
    if (this.#middle === undefined) return Number.POSITIVE_INFINITY;
    return Math.floor(this.#environment.now() + this.#middle + AHEAD_MS_MAX);
  }

  #update(): void {
    const others = [...this.#differences.values()].sort((a, b) => a - b);
    this.#middle = others.length < OTHERS_MIN ? undefined : others[Math.floor(others.length / 2)];
  }
}
