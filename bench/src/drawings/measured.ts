/** Rounds of one measurement, as a bar or a point: their median, and what is around it. */

import type { Bar, Point } from "../plot/chart.ts";
import { spreadOf } from "../spread.ts";

/** @param values - Of JSON, in which what is no number is `null`: it does not count. */
export function measuredBar(series: string, values: readonly (number | null)[]): Bar {
  const spread = spreadOf(values.filter(isMeasured));
  if (spread === undefined) return { series, value: Number.NaN };
  const { median, lowest, highest } = spread;
  return { series, value: median, lowest, highest };
}

/** @returns none, if there was no round. */
export function measuredPoint(x: number, values: readonly (number | null)[]): Point[] {
  const { value, lowest, highest } = measuredBar("", values);
  if (lowest === undefined || highest === undefined) return [];
  return [{ x, y: value, lowest, highest }];
}

function isMeasured(value: number | null): value is number {
  return Number.isFinite(value);
}

/** As in `median of 5 rounds, from the lowest to the highest`. */
export function wordsOfRounds(rounds: number): string {
  return rounds === 1 ? "one round" : `median of ${rounds} rounds, lowest and highest around it`;
}
