/** Where a value is on an axis, and which values the axis names. */

import { assert } from "@quorumlog/std";
import type { ScaleKind } from "./chart.ts";

export interface Scale {
  readonly least: number;
  readonly most: number;
  /** In ascending order, within `[least, most]`. */
  readonly ticks: readonly number[];
  /** A place; what is beyond an end of the axis is put there. */
  readonly at: (value: number) => number;
}

/** Places of the ends of an axis: `from` that of the least value. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface ScaleRange {
  readonly least: number;
  readonly most: number;
  /** How many ticks there is room for, about; default 5. */
  readonly tickCount?: number;
  /** Whether it ends where the values do, and not at the next tick. */
  readonly isTight?: boolean;
}

const STEPS = [1, 2, 2.5, 5, 10];
const LOG_STEPS = [1, 2, 5];
/** Of ticks on a log scale, for each that there is room for: they stand closer than round ones. */
const FINE_TICKS = 2;
/** What is left of a tick when steps are added up. */
const ROUNDING = 1e-9;

export function scaleOf(kind: ScaleKind, range: ScaleRange, span: Span): Scale {
  return kind === "log" ? logScale(range, span) : linearScale(range, span);
}

export function linearScale(range: ScaleRange, { from, to }: Span): Scale {
  const { isTight = false, tickCount = 5 } = range;
  assert(Number.isFinite(range.least), "an axis begins somewhere");
  assert(Number.isFinite(range.most), "an axis ends somewhere");
  const reach = range.most - range.least;
  const step = niceStep((reach > 0 ? reach : Math.abs(range.most) || 1) / tickCount);
  const least = isTight ? range.least : Math.floor(range.least / step + ROUNDING) * step;
  const top = isTight ? range.most : Math.ceil(range.most / step - ROUNDING) * step;
  const most = top > least ? top : least + step;
  const ticks: number[] = [];
  for (let at = Math.ceil(least / step - ROUNDING); at * step <= most + step * ROUNDING; at++)
    ticks.push(Number((at * step).toPrecision(12)));
  const place = (value: number): number => from + ((value - least) / (most - least)) * (to - from);
  return { least, most, ticks, at: (value) => place(bounded(value, least, most)) };
}

/** @param range - Above zero. */
export function logScale(range: ScaleRange, { from, to }: Span): Scale {
  assert(range.least > 0, "zero is on no logarithmic axis");
  assert(range.most >= range.least, "an axis goes up");
  const { isTight = false, tickCount = 5 } = range;
  const least = isTight ? range.least : stepBelow(range.least);
  const top = isTight ? range.most : stepAbove(range.most);
  const most = top > least ? top : least * 10;
  const decades = Math.log10(most / least);
  const [steps, every] =
    decades * LOG_STEPS.length <= tickCount * FINE_TICKS
      ? [LOG_STEPS, 1]
      : [[1], Math.ceil(decades / tickCount)];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(least)); 10 ** power <= most; power++)
    for (const step of steps) {
      const tick = Number((step * 10 ** power).toPrecision(12));
      const isWithin = tick >= least * (1 - ROUNDING) && tick <= most * (1 + ROUNDING);
      if (isWithin && power % every === 0) ticks.push(tick);
    }
  const place = (value: number): number =>
    from + (Math.log(value / least) / Math.log(most / least)) * (to - from);
  return { least, most, ticks, at: (value) => place(bounded(value, least, most)) };
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = STEPS.find((step) => step * power >= rough * (1 - ROUNDING)) ?? 10;
  return factor * power;
}

function stepBelow(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value) + ROUNDING);
  const factor = LOG_STEPS.findLast((step) => step * power <= value * (1 + ROUNDING)) ?? 1;
  return Number((factor * power).toPrecision(12));
}

function stepAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value) + ROUNDING);
  const factor = [...LOG_STEPS, 10].find((step) => step * power >= value * (1 - ROUNDING)) ?? 10;
  return Number((factor * power).toPrecision(12));
}

function bounded(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
