/**
 * What the page is given: one object, as JSON within the page. Times in ns from the run's begin.
 */

export type Validity = boolean | "unknown";

export interface ReportData {
  readonly title: string;
  readonly valid: Validity;
  readonly summary: string;
  readonly reasons: readonly string[];
  readonly command: string;
  readonly startedAt: string;
  readonly durationNs: number;
  /** Name and value, for people. */
  readonly facts: readonly (readonly [string, string])[];
  readonly phases: readonly PhaseData[];
  readonly workloads: readonly WorkloadData[];
  readonly coverage: readonly CoverageData[];
}

export interface PhaseData {
  readonly name: string;
  readonly beginNs: number;
  readonly endNs: number;
}

export interface WorkloadData {
  readonly name: string;
  readonly kind: string;
  readonly valid: Validity;
  readonly counts: readonly (readonly [string, number])[];
  readonly operations: { readonly ok: number; readonly fail: number; readonly info: number };
  readonly anomalies: readonly AnomalyData[];
  readonly anomalyCount: number;
  readonly unknown: readonly string[];
  readonly clientCount: number;
  readonly columns: OperationColumns;
  readonly faults: readonly FaultData[];
  readonly nodes: readonly NodeData[];
}

/**
 * The operations of a history, ascending by their begins: a column for each property, as base64 of
 * little-endian numbers, because there may be a million of them.
 */
export interface OperationColumns {
  readonly count: number;
  /** Of those that went well and are not shown, because there are too many. */
  readonly leftOut: number;
  /** Float64: ns. */
  readonly begins: string;
  /** Float64: ns; of one without an end, how long until the run was over. */
  readonly durations: string;
  /** Uint32: the process of the history. */
  readonly processes: string;
  /** Uint8: a place in {@link OUTCOMES}. */
  readonly outcomes: string;
  /** Uint8: a place in {@link actions}. */
  readonly actionCodes: string;
  /** Uint8: a place in {@link errors}. */
  readonly errorCodes: string;
  /** Uint32: the index of the event that begins it. */
  readonly events: string;
  readonly actions: readonly string[];
  /** The first one is empty: no error. */
  readonly errors: readonly string[];
}

/** From the best to the worst: where two share a pixel, the worse one is seen. */
export const OUTCOMES = ["ok", "fail", "info"] as const;

export interface AnomalyData {
  readonly kind: string;
  readonly message: string;
  readonly operations: readonly AnomalyOperation[];
}

/** As the history has it. */
export interface AnomalyOperation {
  /** Of the event that begins it. */
  readonly event: number;
  readonly process: string;
  readonly beginNs: number;
  readonly endNs: number | null;
  readonly action: string;
  readonly outcome: string;
  /** As JSON. */
  readonly asked: string;
  readonly told: string;
}

export interface FaultData {
  readonly id: number;
  readonly name: string;
  readonly beginNs: number;
  readonly endNs: number;
  readonly nodes: string;
  readonly words: string;
  readonly evidence: string;
  /** `null`: nobody has looked. */
  readonly gap: { readonly duringNs: number; readonly afterNs: number } | null;
}

export interface NodeData {
  readonly nodeId: number;
  readonly spans: readonly NodeSpan[];
}

/** A time in which nothing changed but what was applied. */
export interface NodeSpan {
  readonly beginNs: number;
  readonly endNs: number;
  /** `leader`, `follower` and so on, or `down`, `paused`. */
  readonly state: string;
  readonly term: number;
  /** At its end. */
  readonly appliedIndex: number;
}

export interface CoverageData {
  readonly workload: string;
  readonly fault: string;
  readonly begun: number;
  readonly bit: number;
  readonly needed: number;
  readonly evidence: string;
}
