/** How a quantity moved over a long run, and whether it stayed what it was. */

export interface Finding {
  readonly what: string;
  readonly isGood: boolean;
  readonly detail: string;
}

/** Whatever is measured now and then. */
export interface TimedSample {
  /** Milliseconds since 1970. */
  readonly at: number;
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
export function trendOf<Sample extends TimedSample>(
  samples: readonly Sample[],
  value: (sample: Sample) => number,
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

/** Of a quantity in MB, whether it is flat on each node. */
export function flatness<Sample extends TimedSample>(
  what: string,
  series: readonly (readonly Sample[])[],
  value: (sample: Sample) => number,
): Finding {
  const trends = series.map((samples) => trendOf(samples, value));
  const growths = trends.map(({ growth }) => `${growth >= 0 ? "+" : ""}${growth.toFixed(1)}`);
  const limit = `at most ${GROWTH_MB_MAX} MB, or ${GROWTH_SHARE_MAX * 100} %`;
  const detail = `${growths.join(", ")} MB in the last four fifths; ${limit}`;
  return { what, isGood: trends.every(({ isFlat }) => isFlat), detail };
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : sum(values) / values.length;
}

/** Of any number of values: more than a call takes arguments, too. */
export function largest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), -Infinity);
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
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
