/** What came of a run, in a few lines for whoever has started it. */

import type { RunRecord, WorkloadRecord } from "./run-record.ts";

const ANOMALIES_SHOWN = 5;

/** Ends with the verdict. */
export function describeRun({ workloads, coverage, gaps, verdict, command }: RunRecord): string {
  const lines: string[] = [];
  for (const workload of workloads) {
    const faults = coverage
      .filter((each) => each.workload === workload.name)
      .reduce((sum, { begun }) => sum + begun, 0);
    const worst = gaps
      .filter((gap) => gap.workload === workload.name)
      .toSorted((a, b) => b.duringNs - a.duringNs)[0];
    const gap =
      worst === undefined
        ? ""
        : `, longest without a write ${(worst.duringNs / 1e9).toFixed(2)} s (${worst.fault})`;
    lines.push(`${describeWorkload(workload)}; ${faults} faults${gap}`);
    for (const { kind, message } of workload.anomalies.slice(0, ANOMALIES_SHOWN))
      lines.push(`  ANOMALY ${kind}: ${message}`);
  }
  for (const reason of verdict.reasons) lines.push(`  ${reason}`);
  const word = { true: "VALID", false: "NOT VALID", unknown: "UNKNOWN" }[String(verdict.valid)];
  return [...lines, `again: ${command}`, `${word}: ${verdict.summary}`].join("\n");
}

function describeWorkload({ name, operations, counts, anomalyCount }: WorkloadRecord): string {
  const { ok, fail, info } = operations;
  const figures = Object.entries(counts).map(([what, count]) => `${what} ${count}`);
  return (
    `${name}: ${ok} ok, ${fail} fail, ${info} info; ${figures.join(", ")}; ` +
    `${anomalyCount} anomalies`
  );
}
