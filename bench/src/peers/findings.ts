/** What a run has found so far: its figures for the file, its table for the eye. */

import type { PeersResults } from "../drawings/peers-drawing.ts";
import { figureOf, type PeerCard, type PeerResult, tableOf } from "./peer-table.ts";
import type { Workload } from "./workload.ts";

export interface PlannedRun {
  readonly timeMs: number;
  readonly rounds: number;
  readonly kills: number;
  /** In the order of the table: the others are compared with the first. */
  readonly names: readonly string[];
  readonly workloads: readonly Workload[];
  /** What is said of what is not measured at all. */
  readonly notes: readonly string[];
}

export class Findings {
  readonly #run: PlannedRun;
  readonly #cards = new Map<string, PeerCard>();
  readonly #results: PeerResult[] = [];
  readonly #failures: string[] = [];

  constructor(run: PlannedRun) {
    this.#run = run;
  }

  present(name: string, card: PeerCard): void {
    this.#cards.set(name, card);
  }

  add(result: PeerResult): void {
    this.#results.push(result);
  }

  /** @returns what is said of it. */
  fail(what: string, error: unknown): string {
    const message = error instanceof Error ? error.message : String(error);
    this.#failures.push(`${what}: ${message}`);
    return `${what} FAILED: ${message}`;
  }

  get isSound(): boolean {
    const faults = this.#results.flatMap(({ outcome }) => outcome.faults);
    return this.#failures.length + faults.length === 0;
  }

  get isEmpty(): boolean {
    return this.#results.length === 0;
  }

  /** As the file and the picture have it. */
  results(isComplete: boolean): PeersResults {
    const { timeMs, rounds, kills, workloads, notes } = this.#run;
    return {
      isComplete,
      timeMs,
      rounds,
      kills,
      systems: Object.fromEntries(this.#ordered()),
      workloads: workloads.map(({ name, unit, isMoreBetter, judgedBy }) => {
        return { name, unit, isMoreBetter, judgedBy };
      }),
      notes,
      results: [...this.#results],
      failures: [...this.#failures],
    };
  }

  /** The table, and what belongs to it. */
  lines(): string[] {
    const cards = this.#ordered();
    return [
      ...[...cards].map(([name, { version, durability }]) => `${name} ${version}: ${durability}`),
      ...this.#run.notes,
      ...tableOf(this.#run.workloads, cards, this.#results),
      ...this.#failures.map((failure) => `FAILED ${failure}`),
    ];
  }

  #ordered(): Map<string, PeerCard> {
    const cards = this.#run.names.flatMap((name): [string, PeerCard][] => {
      const card = this.#cards.get(name);
      return card === undefined ? [] : [[name, card]];
    });
    return new Map(cards);
  }
}

/** As in `13,200 acked/s`. */
export function wordsOfValues(values: readonly number[], unit: string): string {
  return `${values.map(figureOf).join("; ")} ${unit}`;
}
