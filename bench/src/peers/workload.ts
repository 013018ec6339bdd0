/** What is measured of every system, in the same way. */

import type { MeasuredCluster } from "./measured-cluster.ts";

export interface Workload {
  /** As `--only` and the table have it. */
  readonly name: string;
  /** Of {@link Outcome.values}. */
  readonly unit: string;
  readonly isMoreBetter: boolean;
  /** What of all values is compared. */
  readonly judgedBy: "median" | "worst";
  /** What it is, if it is nothing but that: the bare program can take this load, too. */
  readonly closedLoop?: ClosedLoop;
  readonly run: (measured: MeasuredCluster, ground: Ground) => Promise<Outcome>;
}

/** So many messages under way at any time. */
export interface ClosedLoop {
  readonly bodyBytes: number;
  readonly inFlight: number;
}

export interface Ground {
  /** Of this run alone. */
  readonly topic: string;
  readonly timeMs: number;
  /** Leaders that are killed. */
  readonly kills: number;
}

export interface Outcome {
  /** One of most workloads; of others, as many as there were measurements in this run. */
  readonly values: readonly number[];
  /** Figures beside it, by their names in the table. */
  readonly beside: Readonly<Record<string, number>>;
  /** What must not be; empty if everything is as it has to be. */
  readonly faults: readonly string[];
}

/** Of bodies that one run publishes: what is read back is still there, whatever is retained. */
export const BYTES_MAX: number = 1024 ** 3;
export const KB = 1_024;

/** What is wrong with a load of which each message is to be acknowledged. */
export function faultsOfUnknown({ length }: readonly number[]): string[] {
  return length === 0 ? [] : [`${length} messages were not acknowledged`];
}

/** What is wrong with a read-back. */
export function faultsOf(audit: { readonly lost: number; readonly damaged: number }): string[] {
  return [
    ...(audit.lost > 0 ? [`${audit.lost} acknowledged messages were not read back`] : []),
    ...(audit.damaged > 0 ? [`${audit.damaged} messages were read that nobody sent`] : []),
  ];
}
