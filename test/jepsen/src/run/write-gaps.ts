/** How long nothing is acknowledged while a fault is there, and after it. */

import type { WriteGap } from "./run-record.ts";

/** A fault from its begin to its end. */
export interface FaultSpan {
  readonly id: number;
  readonly fault: string;
  readonly beginNs: number;
  readonly endNs: number;
}

/** As long after a fault as this; what takes longer is told as this long. */
const AFTER_NS_MAX = 30e9;

/**
 * A gap belongs to the fault in which it begins, also where it outlasts it.
 *
 * @param spans - Of one workload's cluster, in the order of their begins.
 * @param acknowledgedAtNs - Of the workload's writes, ascending.
 * @param endNs - When clients stopped to write: nothing is missing after it.
 */
export function writeGapsOf(
  workload: string,
  spans: readonly FaultSpan[],
  {
    acknowledgedAtNs,
    endNs,
  }: { readonly acknowledgedAtNs: readonly number[]; readonly endNs: number },
): WriteGap[] {
  return spans.map((span) => {
    const { id: faultId, fault, beginNs } = span;
    const next = spans.find((other) => other.beginNs >= span.endNs && other !== span);
    const nextNs = next?.beginNs ?? Infinity;
    const firstAfter = acknowledgedAtNs[firstAtOrAfter(acknowledgedAtNs, span.endNs)] ?? endNs;
    const untilNs = Math.min(nextNs, span.endNs + AFTER_NS_MAX, endNs);
    const gapNs = (range: GapRange): number => longestGapNs(acknowledgedAtNs, range);
    return {
      workload,
      fault,
      faultId,
      duringNs: gapNs({ fromNs: beginNs, toNs: Math.min(span.endNs, endNs), endNs }),
      // What the next fault does is not this one's.
      afterNs: gapNs({ fromNs: firstAfter, toNs: untilNs, endNs: untilNs }),
    };
  });
}

interface GapRange {
  readonly fromNs: number;
  readonly toNs: number;
  /** Nothing is missing after it. */
  readonly endNs: number;
}

/** Of those that begin in `[fromNs, toNs)`, of which `fromNs` is one. */
function longestGapNs(times: readonly number[], { fromNs, toNs, endNs }: GapRange): number {
  if (fromNs >= endNs || fromNs > toNs) return 0;
  let longest = 0;
  let last = fromNs;
  for (let i = firstAtOrAfter(times, fromNs); ; i++) {
    const time = Math.min(times[i] ?? endNs, endNs);
    longest = Math.max(longest, time - last);
    if (time >= toNs) return longest;
    last = time;
  }
}

function firstAtOrAfter(times: readonly number[], timeNs: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) < timeNs) low = middle + 1;
    else high = middle;
  }
  return low;
}
