/**
 * What clients do to a cluster, and what must hold of what they were told.
 *
 * A workload has so many clients, each of which asks for one thing at a time. They live in a few
 * processes. In the end, with the cluster whole, each client asks until it has seen everything.
 */

import type { Prng } from "@quorumlog/std";
import type { Anomaly } from "../check/anomaly.ts";
import type { ClusterKind, Target } from "../cluster/target.ts";
import type { HistoryEvent, Value } from "../history/history-event.ts";

export interface Workload {
  readonly name: string;
  readonly kind: ClusterKind;
  /** Over all processes. */
  readonly clientCount: number;
  /** Operations per second of all clients together, unless a run says otherwise. */
  readonly rate: number;
  /** Once, with the cluster whole and before there are clients: makes topics, and the like. */
  prepare(target: Target): Promise<void>;
  /**
   * In a process of clients, which ends without a word. The cluster may be in any state: what is
   * not there is waited for.
   *
   * @returns clients, in the order of `slots`.
   */
  open(context: ClientContext): Promise<readonly LogicalClient[]>;
  /** @throws HistoryError of what is no history of this workload */
  check(events: readonly HistoryEvent[]): WorkloadVerdict;
}

export interface WorkloadVerdict {
  /** `unknown`: a limit was met, or the end was not seen; that is no pass. */
  readonly valid: boolean | "unknown";
  readonly anomalies: readonly Anomaly[];
  /** Why it is not known, a sentence each. */
  readonly unknown: readonly string[];
  /** What was looked at, by name. */
  readonly counts: Readonly<Record<string, number>>;
}

/** What clients of a process are given: their place among all of the workload. */
export interface ClientContext {
  /** As it is now: nodes come and go. */
  readonly target: Target;
  /** Which of the workload's clients are here, in `[0, clientCount)`. */
  readonly slots: readonly number[];
  readonly clientCount: number;
  /** Of the run, the same in all processes. */
  readonly seed: number;
  /** Of this process alone. */
  readonly prng: Prng;
  readonly rate: number;
  /** Counts processes of this workload; one that takes another's place has another number. */
  readonly life: number;
  /** @returns a number that no process of this workload gets again. */
  readonly unique: () => number;
  /** Nanoseconds since the run began, by the clock that all processes have. */
  readonly now: () => number;
  /** Aborted when the process ends: whatever waits gives up. */
  readonly signal: AbortSignal;
}

/** Asks for one thing at a time. */
export interface LogicalClient {
  /** @returns what it asks for next; `undefined`: nothing for now. */
  next(): Attempt | undefined;
  /** @returns a final read, until `undefined`: everything was seen. A failed one is repeated. */
  last(): Promise<Attempt | undefined> | Attempt | undefined;
  /** It goes on under another number, as nobody knows what became of what it asked for. */
  onUnknown?(): void;
}

/** One operation: it is recorded, carried out once, and recorded again. */
export interface Attempt {
  readonly action: string;
  readonly value: Value;
  /** It changes nothing: if it is not answered it was not done, whatever became of it. */
  readonly isRead: boolean;
  /**
   * @returns the value of its `ok`.
   * @throws CallError, OperationError: what became of it is its `outcome`; anything else is a
   *   defect, and ends the run
   */
  run(): Promise<Value>;
  /** Its `ok` is kept for good, also if this process ends now. */
  onRecorded?(): void;
}
