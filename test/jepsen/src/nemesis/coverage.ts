/**
 * Which faults have bitten, by what they show for it. A run whose faults were none says nothing
 * about a cluster that survived it.
 */

import type { Evidence, Fault, FaultEnd } from "./fault.ts";

export interface FaultCoverage {
  readonly fault: string;
  /** How often it has hit somebody, and was over. */
  readonly hits: number;
  /** Of those, the ones that were what the fault is called. */
  readonly bites: number;
  /** So many are asked of it. */
  readonly needed: number;
  /** Times that there was nobody whom it could hit. */
  readonly skipped: number;
  /** Figures of all hits added up; of what is true, how often; of words, the last. */
  readonly evidence: Evidence;
}

interface Entry {
  readonly fault: string;
  readonly needed: number;
  hits: number;
  bites: number;
  skipped: number;
  evidence: Record<string, number | string>;
}

export class Coverage {
  readonly #entries: ReadonlyMap<string, Entry>;

  /** @param neededOf - How many bites are asked of a fault; default one. */
  constructor(faults: readonly Fault[], neededOf: (fault: Fault) => number = () => 1) {
    this.#entries = new Map(
      faults.map((fault) => [
        fault.name,
        {
          fault: fault.name,
          needed: neededOf(fault),
          hits: 0,
          bites: 0,
          skipped: 0,
          evidence: {},
        },
      ]),
    );
  }

  onSkipped(fault: string): void {
    const entry = this.#entries.get(fault);
    if (entry !== undefined) entry.skipped += 1;
  }

  onEnd(fault: string, { evidence, hasBitten }: FaultEnd): void {
    const entry = this.#entries.get(fault);
    if (entry === undefined) return;
    entry.hits += 1;
    if (hasBitten) entry.bites += 1;
    addEvidence(entry.evidence, evidence);
  }

  faults(): FaultCoverage[] {
    return [...this.#entries.values()].map((entry) => ({
      ...entry,
      evidence: { ...entry.evidence },
    }));
  }

  /** The names of those that have, as often as is asked of them. */
  bitten(): ReadonlySet<string> {
    const bitten = [...this.#entries.values()].filter(({ bites, needed }) => bites >= needed);
    return new Set(bitten.map(({ fault }) => fault));
  }
}

/** Of several clusters that were hit by the same faults: one that bit somewhere has bitten. */
export function mergedCoverage(all: readonly (readonly FaultCoverage[])[]): FaultCoverage[] {
  const merged = new Map<string, Entry>();
  for (const { fault, needed, hits, bites, skipped, evidence } of all.flat()) {
    const none = { fault, needed, hits: 0, bites: 0, skipped: 0, evidence: {} };
    const entry = merged.get(fault) ?? none;
    entry.hits += hits;
    entry.bites += bites;
    entry.skipped += skipped;
    addEvidence(entry.evidence, evidence);
    merged.set(fault, entry);
  }
  return [...merged.values()];
}

function addEvidence(sums: Record<string, number | string>, evidence: Evidence): void {
  for (const [name, value] of Object.entries(evidence))
    if (typeof value === "string") sums[name] = value;
    else sums[name] = Number(sums[name] ?? 0) + Number(value);
}
