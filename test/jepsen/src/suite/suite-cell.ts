/** What came of one workload under one fault. */

import type { RunRecord, Validity } from "../run/run-record.ts";

export interface SuiteCell {
  readonly workload: string;
  readonly fault: string;
  readonly valid: Validity;
  readonly operations: number;
  readonly anomalies: number;
  /** How often the fault was there, and how often it had an effect. */
  readonly begun: number;
  readonly bit: number;
  /** The longest time in which no write was acknowledged while the fault was there. */
  readonly gapNs: number;
  /** Why it is not valid; empty if it is. */
  readonly reasons: readonly string[];
  /** Of its run. */
  readonly folder: string;
  readonly command: string;
}

/** @param record - Of a run under that fault alone. */
export function cellsOf(record: RunRecord, fault: string, folder: string): SuiteCell[] {
  const { workloads, coverage, gaps, verdict, command } = record;
  return workloads.map(({ name, operations, anomalyCount, valid }) => {
    const { ok, fail, info } = operations;
    const { begun = 0, bit = 0 } = coverage.find(({ workload }) => workload === name) ?? {};
    const own = gaps.filter(({ workload }) => workload === name);
    // A reason names its workload; what has no name concerns all.
    const others = workloads.map((each) => each.name).filter((each) => each !== name);
    const reasons = verdict.reasons.filter(
      (reason) => !others.some((other) => reason.startsWith(`${other}: `)),
    );
    return {
      workload: name,
      fault,
      valid: reasons.length === 0 ? valid : valid === true ? false : valid,
      operations: ok + fail + info,
      anomalies: anomalyCount,
      begun,
      bit,
      gapNs: Math.max(0, ...own.map(({ duringNs }) => duringNs)),
      reasons,
      folder,
      command,
    };
  });
}
