/**
 * The `offsets` workload: how far a consumer group is does not go back, whoever commits and whoever
 * takes over. Nobody resets offsets meanwhile.
 *
 *     commit     [queue, offset]
 *     committed  queue              ok: [queue, offset]; 0: nothing was committed
 *     publish    id                 keeps members busy; nothing is asked of it
 */

import { type Operation, outcomeOf } from "../history/history-event.ts";
import { HistoryError } from "../history/operations.ts";
import { listOf, numberOf } from "../history/value-reader.ts";
import type { Anomaly } from "./anomaly.ts";

export type OffsetAnomalyKind =
  /** A commit was acknowledged, and whoever asked after it was told less. */
  | "offset-went-back"
  /** What was told is more than anybody had committed. */
  | "offset-from-nowhere";

export interface OffsetResult {
  readonly anomalies: readonly Anomaly<OffsetAnomalyKind>[];
  readonly commits: number;
  readonly reads: number;
}

interface Read {
  readonly offset: number;
  readonly invokedAt: number;
  readonly returnedAt: number;
}

interface Commit {
  readonly offset: number;
  readonly invokedAt: number;
  /** `Infinity`: it was not acknowledged. */
  readonly returnedAt: number;
}

export function checkOffsets(operations: readonly Operation[]): OffsetResult {
  const queues = new Map<number, { commits: Commit[]; reads: Read[] }>();
  const of = (queue: number): { commits: Commit[]; reads: Read[] } => {
    const known = queues.get(queue) ?? { commits: [], reads: [] };
    queues.set(queue, known);
    return known;
  };
  for (const operation of operations) {
    const { invoke, completion } = operation;
    const outcome = outcomeOf(operation);
    const returnedAt = outcome === "ok" ? (completion?.index ?? Infinity) : Infinity;
    if (invoke.action === "commit") {
      const [queue, offset] = listOf(invoke.value, invoke.index).map((value) =>
        numberOf(value, invoke.index),
      );
      if (outcome !== "fail")
        of(queue ?? 0).commits.push({ offset: offset ?? 0, invokedAt: invoke.index, returnedAt });
    } else if (invoke.action === "committed") {
      if (outcome !== "ok" || completion === undefined) continue;
      const told = listOf(completion.value, completion.index);
      const [queue, offset] = told.map((value) => numberOf(value, completion.index));
      of(queue ?? 0).reads.push({ offset: offset ?? 0, invokedAt: invoke.index, returnedAt });
    } else if (invoke.action !== "publish")
      throw new HistoryError(`event ${invoke.index}: offsets know no ${invoke.action}`);
  }
  const anomalies: Anomaly<OffsetAnomalyKind>[] = [];
  let commitCount = 0;
  let readCount = 0;
  for (const [queue, { commits, reads }] of queues) {
    commitCount += commits.length;
    readCount += reads.length;
    anomalies.push(...wentBack(queue, commits, reads), ...fromNowhere(queue, commits, reads));
  }
  return { anomalies, commits: commitCount, reads: readCount };
}

/** Also behind a read: what one was told, whoever asks later is told at least. */
function wentBack(
  queue: number,
  commits: readonly Commit[],
  reads: readonly Read[],
): Anomaly<OffsetAnomalyKind>[] {
  const known = [...commits, ...reads]
    .filter(({ returnedAt }) => returnedAt < Infinity)
    .toSorted((a, b) => a.returnedAt - b.returnedAt);
  const anomalies: Anomaly<OffsetAnomalyKind>[] = [];
  const told = new Set<string>();
  let highest: Commit | undefined;
  let at = 0;
  for (const read of reads.toSorted((a, b) => a.invokedAt - b.invokedAt)) {
    for (let next = known[at]; next !== undefined; next = known[at]) {
      if (next.returnedAt > read.invokedAt) break;
      if (highest === undefined || next.offset > highest.offset) highest = next;
      at += 1;
    }
    if (highest === undefined || read.offset >= highest.offset) continue;
    const message = `queue ${queue}: ${highest.offset} was told, and later ${read.offset}`;
    // Whoever asks again tells nothing new.
    if (told.has(message)) continue;
    told.add(message);
    const events = [highest.invokedAt, read.invokedAt];
    anomalies.push({ kind: "offset-went-back", message, events });
  }
  return anomalies;
}

function fromNowhere(
  queue: number,
  commits: readonly Commit[],
  reads: readonly Read[],
): Anomaly<OffsetAnomalyKind>[] {
  const byInvocation = commits.toSorted((a, b) => a.invokedAt - b.invokedAt);
  const anomalies: Anomaly<OffsetAnomalyKind>[] = [];
  let highest = 0;
  let at = 0;
  for (const read of reads.toSorted((a, b) => a.returnedAt - b.returnedAt)) {
    for (let next = byInvocation[at]; next !== undefined; next = byInvocation[at]) {
      if (next.invokedAt > read.returnedAt) break;
      highest = Math.max(highest, next.offset);
      at += 1;
    }
    if (read.offset <= highest) continue;
    const message = `queue ${queue}: ${read.offset} was told, and ${highest} had been committed`;
    anomalies.push({ kind: "offset-from-nowhere", message, events: [read.invokedAt] });
  }
  return anomalies;
}
