/**
 * What a run leaves behind, as types: the files of its folder but for histories, which have types
 * of their own. Times count from the begin of the run, in nanoseconds, in all of them.
 *
 *     run.json                     RunRecord
 *     history-<workload>.jsonl     events of clients, a line each; .edn: for the checkers of Jepsen
 *     faults.jsonl                 FaultLine: one where a fault begins, one where it ends
 *     nodes.jsonl                  NodeLine: one whenever something of a node has changed
 *     report.html                  all of it, to look at
 *
 * Each workload has a cluster of its own, and so faults of its own.
 */

/** Of `run.json`: a program that reads another one says so, and stops. */
export const FORMAT_VERSION = 1;

/** `unknown`: a check met its limits, or the run was cut; that is no pass. */
export type Validity = boolean | "unknown";

export interface RunRecord {
  readonly formatVersion: number;
  readonly verdict: Verdict;
  /** What repeats the run: faults and clients are drawn from the seed, what happens when is not. */
  readonly command: string;
  readonly seed: number;
  /** As they were given or taken by default, by their names. */
  readonly options: Readonly<Record<string, boolean | number | string>>;
  /** Of the project. */
  readonly version: string;
  /** Of the sources, with `+` if they were changed; empty if nobody knows. */
  readonly commit: string;
  readonly machine: Machine;
  /** ISO 8601, of the wall clock. */
  readonly startedAt: string;
  readonly durationNs: number;
  readonly phases: readonly Phase[];
  readonly workloads: readonly WorkloadRecord[];
  readonly coverage: readonly CoverageRecord[];
  readonly gaps: readonly WriteGap[];
}

export interface Verdict {
  readonly valid: Validity;
  /** In a sentence, for people. */
  readonly summary: string;
  /** Why it is not `true`; empty if it is. */
  readonly reasons: readonly string[];
}

export interface Machine {
  readonly platform: string;
  readonly node: string;
  readonly cpu: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
}

/** A part of a run: start, faults, recovery, final reads, check. */
export interface Phase {
  readonly name: string;
  readonly beginNs: number;
  readonly endNs: number;
}

export interface WorkloadRecord {
  readonly name: string;
  /** Of nodes: what they serve. */
  readonly kind: string;
  readonly valid: Validity;
  /** Process `p` of the history is one of client `p % clientCount`. */
  readonly clientCount: number;
  readonly nodeIds: readonly number[];
  readonly operations: { readonly ok: number; readonly fail: number; readonly info: number };
  /** What the check has counted, by its own names. */
  readonly counts: Readonly<Record<string, number>>;
  /** The first ones. */
  readonly anomalies: readonly AnomalyRecord[];
  readonly anomalyCount: number;
  /** What the check could not decide, and why. */
  readonly unknown: readonly string[];
}

export interface AnomalyRecord {
  readonly kind: string;
  readonly message: string;
  /** Indexes of the history's events that show it; empty if the replicas do. */
  readonly events: readonly number[];
}

/** Of one fault in one workload's cluster: whether it did what it is for. */
export interface CoverageRecord {
  readonly workload: string;
  readonly fault: string;
  readonly begun: number;
  /** Of those, how many had an effect that was seen. */
  readonly bit: number;
  /** So many were asked for. */
  readonly needed: number;
  /** What was seen of one of them, or what was missing. */
  readonly evidence: string;
}

/** How long no write of a workload was acknowledged, around one fault. */
export interface WriteGap {
  readonly workload: string;
  readonly fault: string;
  /** {@link FaultLine.id} */
  readonly faultId: number;
  /** The longest time while the fault was there. */
  readonly duringNs: number;
  /** The longest time from its end to the next fault's begin, or for as long as is looked. */
  readonly afterNs: number;
}

export interface FaultLine {
  readonly timeNs: number;
  readonly type: "begin" | "end";
  /** The same at its begin and its end. */
  readonly id: number;
  readonly workload: string;
  readonly fault: string;
  /** Whom it hit; empty if it is not about nodes. */
  readonly nodeIds: readonly number[];
  /** What was done, in words. */
  readonly words: string;
  /** Of an end: what was seen of its effect; empty if it had none. */
  readonly evidence: string;
}

export interface NodeLine {
  readonly timeNs: number;
  readonly workload: string;
  readonly nodeId: number;
  /** `paused`: its process stands still. */
  readonly state: "up" | "paused" | "down";
  readonly role: string;
  readonly term: number;
  readonly appliedIndex: number;
}
