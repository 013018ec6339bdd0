/**
 * Holds what members of a consumer group were handed against what was published: each line at
 * least once, with the bytes it had, and none before the line in front of it.
 */

import { foldHash } from "./line-hash.ts";
import type { ProblemList } from "./problem-list.ts";
import type { LedgerFile, TextLedger } from "./text-ledger.ts";

/** Lines of a file that a member was handed one behind the other. */
export interface DeliveredRange {
  readonly path: string;
  readonly from: number;
  /** Behind the last one. */
  readonly to: number;
  readonly fold: number;
  /** When it was handed the first of them, in microseconds since the machine's start. */
  readonly at: number;
}

interface FileDeliveries {
  readonly file: LedgerFile;
  readonly counts: Uint8Array;
  readonly ranges: DeliveredRange[];
}

const COUNT_MAX = 255;

export class DeliveryAudit {
  readonly #ledger: TextLedger;
  readonly #problems: ProblemList;
  readonly #files = new Map<string, FileDeliveries>();
  #deliveredCount = 0;
  #redeliveredCount = 0;

  constructor(ledger: TextLedger, problems: ProblemList) {
    this.#ledger = ledger;
    this.#problems = problems;
  }

  /** Lines that were handed out at least once. */
  get deliveredCount(): number {
    return this.#deliveredCount;
  }

  /** How often a line was handed out once more. */
  get redeliveredCount(): number {
    return this.#redeliveredCount;
  }

  add(range: DeliveredRange): void {
    const { path, from, to, fold } = range;
    const deliveries = this.#deliveries(path);
    if (deliveries === undefined || to > deliveries.file.hashes.length) {
      this.#problems.add(`${path}: lines [${from}, ${to}) were consumed and never published`);
      return;
    }
    const { file, counts, ranges } = deliveries;
    let expected = 0;
    for (let line = from; line < to; line++) {
      expected = foldHash(expected, file.hashes[line] as number);
      const count = counts[line] as number;
      if (count === 0) this.#deliveredCount += 1;
      else this.#redeliveredCount += 1;
      counts[line] = Math.min(COUNT_MAX, count + 1);
    }
    if (fold !== expected)
      this.#problems.add(`${path}: lines [${from}, ${to}) were consumed with other bytes`);
    ranges.push(range);
  }

  /** When everything has been heard. */
  finish(): void {
    for (const { path, hashes } of this.#ledger.files()) {
      const deliveries = this.#files.get(path);
      const missing = deliveries?.counts.indexOf(0) ?? 0;
      if (missing >= 0 && hashes.length > 0)
        this.#problems.add(`${path}: line ${missing} of ${hashes.length} was never consumed`);
      if (deliveries !== undefined) this.#checkOrder(deliveries);
    }
  }

  #checkOrder({ file: { path }, ranges }: FileDeliveries): void {
    let reached = 0;
    for (const { from, to } of ranges.toSorted((a, b) => a.at - b.at || a.from - b.from)) {
      if (from > reached)
        this.#problems.add(`${path}: line ${from} was consumed before line ${reached}`);
      reached = Math.max(reached, to);
    }
  }

  #deliveries(path: string): FileDeliveries | undefined {
    let deliveries = this.#files.get(path);
    if (deliveries !== undefined) return deliveries;
    const file = this.#ledger.file(path);
    if (file === undefined) return undefined;
    deliveries = { file, counts: new Uint8Array(file.hashes.length), ranges: [] };
    this.#files.set(path, deliveries);
    return deliveries;
  }
}
