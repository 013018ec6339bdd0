/** What comes of a run, from what came of its parts. */

import type { CoverageRecord, Validity, Verdict, WorkloadRecord } from "./run-record.ts";

/** Of a fault out of a mix, after which it should have had an effect: others were there, too. */
const MIX_TRIES = 3;

/** What nodes show, whatever clients were told. */
const NODE_ANOMALIES: ReadonlySet<string> = new Set([
  "broken-invariant",
  "replicas-differ",
  "unsound-disk",
]);

const COUNT = new Intl.NumberFormat("en");

/** Also that of a check alone. */
export function exitCodeOfValidity(valid: Validity): number {
  if (valid === "unknown") return 3;
  return valid ? 0 : 1;
}

export interface VerdictParts {
  readonly workloads: readonly WorkloadRecord[];
  readonly coverage: readonly CoverageRecord[];
  /** Why faults that were asked for by name were left out in every cluster, a sentence each. */
  readonly impossible?: readonly string[];
  /** What else went wrong, a sentence each: the run says nothing then. */
  readonly problems: readonly string[];
  /**
   * Where a fault has to have an effect: in each cluster, as it was asked for; or, if it was drawn
   * as one of a mix, in any of those that it was drawn for, and not with the first try.
   */
  readonly mustBite: "anywhere" | "everywhere";
}

/**
 * An anomaly weighs more than anything else; a fault that had no effect has tested nothing, so the
 * run does not pass for it; and what is unknown is no pass either.
 */
export function verdictOf(parts: VerdictParts): Verdict {
  const { workloads, coverage, problems, impossible = [] } = parts;
  const anomalies = workloads
    .filter(({ anomalyCount }) => anomalyCount > 0)
    .map(({ name, anomalies: found, anomalyCount }) => {
      const kinds = [...new Set(found.map(({ kind }) => kind))].join(", ");
      return `${name}: ${anomalyCount} anomalies: ${kinds}`;
    });
  const missed = [...impossible, ...missedFaults(parts)];
  const undecided = workloads.flatMap(({ name, unknown }) =>
    unknown.map((why) => `${name}: ${why}`),
  );
  const reasons = [...anomalies, ...problems, ...missed, ...undecided];
  if (anomalies.length > 0) {
    return { valid: false, summary: anomalyWords(workloads), reasons };
  }
  if (problems.length > 0) return { valid: false, summary: "The run went wrong", reasons };
  if (missed.length > 0) {
    const summary = "No anomaly, but faults that were asked for had no effect";
    return { valid: false, summary, reasons };
  }
  if (undecided.length > 0)
    return { valid: "unknown", summary: "No anomaly was found, but not all is decided", reasons };
  return { valid: true, summary: passWords(workloads, coverage), reasons };
}

/** Of clients before those of nodes. */
function anomalyWords(workloads: readonly WorkloadRecord[]): string {
  const wrong = workloads.filter(({ valid }) => valid === false);
  const names = listed(wrong.map(({ name }) => name));
  const kinds = new Set(wrong.flatMap(({ anomalies }) => anomalies.map(({ kind }) => kind)));
  const isOfClients = [...kinds].some((kind) => !NODE_ANOMALIES.has(kind));
  if (isOfClients || kinds.size === 0)
    return `Anomalies in ${names}: what clients were told cannot all be true`;
  return kinds.has("replicas-differ")
    ? `Anomalies in ${names}: replicas that have applied as much do not have the same`
    : `Anomalies in ${names}: nodes have ended, as what they rely on is not so`;
}

/** A sentence each. */
function missedFaults({ coverage, mustBite }: VerdictParts): string[] {
  const tries = new Map<string, number>();
  for (const { fault, begun } of coverage) tries.set(fault, (tries.get(fault) ?? 0) + begun);
  const isTried = (fault: string): boolean => (tries.get(fault) ?? 0) >= MIX_TRIES;
  const bitten = new Set(coverage.filter(isBitten).map(({ fault }) => fault));
  return coverage
    .filter((record) => !isBitten(record))
    .filter(
      ({ fault, begun }) =>
        mustBite === "everywhere" || (begun > 0 && isTried(fault) && !bitten.has(fault)),
    )
    .map(({ workload, fault, begun, bit, needed }) => {
      if (begun === 0)
        return `${workload}: ${fault} was asked for, and there was never anybody to hit`;
      if (bit === 0)
        return `${workload}: ${fault} was begun ${begun} times, and never had an effect`;
      return `${workload}: ${fault} had an effect ${bit} times, and needs ${needed}`;
    });
}

function isBitten({ bit, needed }: CoverageRecord): boolean {
  return bit >= needed;
}

function passWords(
  workloads: readonly WorkloadRecord[],
  coverage: readonly CoverageRecord[],
): string {
  const operations = workloads.reduce(
    (sum, { operations: { ok, fail, info } }) => sum + ok + fail + info,
    0,
  );
  const faults = coverage.reduce((sum, { begun }) => sum + begun, 0);
  const names = listed(workloads.map(({ name }) => name));
  const figure = COUNT.format(operations);
  return `No anomaly in ${figure} operations of ${names}, while ${faults} faults went on`;
}

/** `a, b and c`. */
function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
