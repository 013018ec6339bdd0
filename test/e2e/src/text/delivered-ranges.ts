/** Gathers what a member is handed, line by line, as ranges of lines of a file. */

import type { DeliveredRange } from "./delivery-audit.ts";
import { foldHash, lineHash, lineNumber } from "./line-hash.ts";

interface OpenRange {
  readonly from: number;
  readonly at: number;
  next: number;
  fold: number;
}

const NANOSECONDS = 1_000n;

export class DeliveredRanges {
  readonly #open = new Map<string, OpenRange>();
  #closed: DeliveredRange[] = [];

  add(path: string, line: Uint8Array): void {
    const number = lineNumber(line);
    let range = this.#open.get(path);
    if (range?.next !== number) {
      if (range !== undefined) this.#close(path, range);
      // Of the machine, so that those of several processes can be compared.
      const at = Number(process.hrtime.bigint() / NANOSECONDS);
      range = { from: number, at, next: number, fold: 0 };
      this.#open.set(path, range);
    }
    range.next = number + 1;
    range.fold = foldHash(range.fold, lineHash(line));
  }

  /** @returns all that came since the last time. */
  take(): readonly DeliveredRange[] {
    for (const [path, range] of this.#open) this.#close(path, range);
    this.#open.clear();
    const taken = this.#closed;
    this.#closed = [];
    return taken;
  }

  #close(path: string, { from, next, fold, at }: OpenRange): void {
    this.#closed.push({ path, from, to: next, fold, at });
  }
}
