/** Whether a soak was as it should be: steady, without a stall, and nothing lost. */

import type { Stall } from "./pause-journal.ts";
import type { Reckoning } from "./soak-group.ts";
import type { NodeSample } from "./soak-node.ts";
import { type Finding, flatness, sum } from "./trend.ts";

export function findings(run: {
  /** By node. */
  readonly series: readonly (readonly NodeSample[])[];
  readonly reckoning: Reckoning;
  readonly troubles: readonly string[];
}): Finding[] {
  const { series, reckoning, troubles } = run;
  const stalls = series.flatMap((samples) => samples.flatMap((sample) => sample.stalls));
  const failed = sum(series.map((samples) => samples.at(-1)?.failed ?? 0));
  const acked = sum(series.map((samples) => samples.at(-1)?.acked ?? 0));
  const terms = new Set(series.flatMap((samples) => samples.map(({ term }) => term)));
  const lost = sum(reckoning.readBacks.map((each) => each.lost));
  const digests = new Set(reckoning.readBacks.map(({ digest }) => digest));
  const { from, to } = reckoning;
  const isWhole = reckoning.readBacks.every(({ records }) => records === to - from);
  return [
    flatness("memory is flat (anonymous)", series, (sample) => sample.anonymousMb),
    flatness("disk is flat", series, (sample) => sample.diskMb),
    {
      what: "no stall over 200 ms",
      isGood: stalls.length === 0,
      detail: `${stalls.length}, the longest ${longest(stalls).toFixed(0)} ms`,
    },
    {
      what: "nothing acknowledged is lost",
      isGood: lost === 0 && digests.size === 1 && isWhole && to > from,
      detail: `${lost} of what is retained, [${from}, ${to}), equal on ${
        digests.size === 1 ? "all nodes" : "some nodes only"
      }`,
    },
    {
      what: "no append failed",
      isGood: failed === 0 && acked > 0,
      detail: `${failed} failed, ${acked} acknowledged`,
    },
    { what: "one leader all the time", isGood: terms.size === 1, detail: `${terms.size} term(s)` },
    {
      what: "no trouble",
      isGood: troubles.length === 0,
      detail: troubles.length === 0 ? "none" : troubles.join("; "),
    },
  ];
}

function longest(stalls: readonly Stall[]): number {
  return Math.max(0, ...stalls.map(({ milliseconds }) => milliseconds));
}
