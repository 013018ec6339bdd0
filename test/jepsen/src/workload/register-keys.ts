/**
 * Which registers are in use: a few at a time, each for a while, and never again after that.
 *
 * Whether one register's history can be explained takes a search, so each has a short one; and all
 * processes know of themselves which are in use, as that follows from the time.
 *
 *     column 0   |-- 0 --|-- 4 --|-- 8 --|          a column's next register begins when its last
 *     column 1     |-- 1 --|-- 5 --|-- 9 --|        one ends; columns do not change all at once
 */

import type { Prng } from "@quorumlog/std";

export interface RegisterKeysInit {
  /** How many are in use at a time. */
  readonly columns: number;
  /** How long each is. */
  readonly lifeNs: number;
}

export class RegisterKeys {
  readonly #columns: number;
  readonly #lifeNs: number;

  constructor({ columns, lifeNs }: RegisterKeysInit) {
    this.#columns = columns;
    this.#lifeNs = lifeNs;
  }

  /** @returns one that is in use at that time. */
  current(timeNs: number, prng: Prng): number {
    return this.#keyOf(prng.below(this.#columns), timeNs);
  }

  /** @returns one that was in use by then. */
  former(timeNs: number, prng: Prng): number {
    return this.current(prng.fraction() * timeNs, prng);
  }

  /** @returns all that were in use by then. */
  all(timeNs: number): number[] {
    const keys: number[] = [];
    for (let column = 0; column < this.#columns; column++)
      for (let key = column; key <= this.#keyOf(column, timeNs); key += this.#columns)
        keys.push(key);
    return keys;
  }

  #keyOf(column: number, timeNs: number): number {
    const generation = Math.floor(timeNs / this.#lifeNs + column / this.#columns);
    return generation * this.#columns + column;
  }
}
