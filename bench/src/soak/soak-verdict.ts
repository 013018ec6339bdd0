/** Whether a soak was as it should be: steady, without a stall, and nothing lost. */

import type { Stall } from "./pause-journal.ts";
import type { Reckoning } from "./soak-group.ts";
import type { NodeSample } from "./soak-node.ts";

export interface Finding {
  readonly what: string;
  readonly isGood: boolean;
  readonly detail: string;
}

/** How a quantity moved over a run, by a line through its samples. */
export interface Trend {
  readonly firstFifth: number;
  readonly lastFifth: number;
  /** Over the samples that the line goes through. */
  readonly growth: number;
  readonly isFlat: boolean;
}

/** Over the whole run, whichever is more: noise is of this size in a short one. */
const GROWTH_MB_MAX = 32;
const GROWTH_SHARE_MAX = 0.1;

/** @param samples - In order; the first fifth, in which caches fill, is not in the line. */
export function trendOf(
  samples: readonly NodeSample[],
  value: (sample: NodeSample) => number,
): Trend {
  const fifth = Math.max(1, Math.floor(samples.length / 5));
  const firstFifth = mean(samples.slice(0, fifth).map(value));
  const lastFifth = mean(samples.slice(-fifth).map(value));
  const steady = samples.slice(fifth);
  const spanMs = (steady.at(-1)?.at ?? 0) - (steady[0]?.at ?? 0);
  const growth = slopeOf(steady.map((sample) => [sample.at, value(sample)])) * spanMs;
  const tolerance = Math.max(GROWTH_MB_MAX, GROWTH_SHARE_MAX * mean(steady.map(value)));
  const isFlat = growth <= tolerance;
  return { firstFifth, lastFifth, growth, isFlat };
}

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

function flatness(
  what: string,
  series: readonly (readonly NodeSample[])[],
  value: (sample: NodeSample) => number,
): Finding {
  const trends = series.map((samples) => trendOf(samples, value));
  const growths = trends.map(({ growth }) => `${growth >= 0 ? "+" : ""}${growth.toFixed(1)}`);
  const limit = `at most ${GROWTH_MB_MAX} MB, or ${GROWTH_SHARE_MAX * 100} %`;
  const detail = `${growths.join(", ")} MB in the last four fifths; ${limit}`;
  return { what, isGood: trends.every(({ isFlat }) => isFlat), detail };
}

function longest(stalls: readonly Stall[]): number {
  return Math.max(0, ...stalls.map(({ milliseconds }) => milliseconds));
}

/** Of the line with the least squares. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const meanX = mean(points.map(([x]) => x));
  const meanY = mean(points.map(([, y]) => y));
  let above = 0;
  let below = 0;
  for (const [x, y] of points) {
    above += (x - meanX) * (y - meanY);
    below += (x - meanX) ** 2;
  }
  return below === 0 ? 0 : above / below;
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : sum(values) / values.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
