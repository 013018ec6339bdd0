/** What panels have in common: their place, their heading, and the scale that values are on. */

import type { ScaleKind } from "./chart.ts";
import { figure } from "./figure.ts";
import { GRID, INK, SIZES, SOFT_INK } from "./look.ts";
import type { Scale, ScaleRange } from "./scale.ts";
import { at, textAt, widthOf } from "./text.ts";

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Paint {
  readonly box: Box;
  readonly colours: ReadonlyMap<string, string>;
}

export const HEADING_HEIGHT = 30;
export const TICKS_HEIGHT = 22;
/** Whiskers of values that are drawn in a darker colour than their bar. */
export const WHISKER = "#3a424a";

export function headingOf(box: Box, title: string, unit: string): string[] {
  const y = box.y + SIZES.panel / 2;
  const unitX = box.x + widthOf(title, SIZES.panel, true) + 10;
  return [
    textAt({ x: box.x, y }, title, { size: SIZES.panel, colour: INK, isBold: true }),
    textAt({ x: unitX, y }, unit, { size: SIZES.label, colour: SOFT_INK }),
  ];
}

/** Lines across a panel at its ticks, whose names are below. */
export function verticalGrid(scale: Scale, top: number, bottom: number): string[] {
  return scale.ticks.flatMap((tick) => {
    const x = scale.at(tick);
    return [
      `<path d="M${at(x)} ${at(top)}V${at(bottom)}" stroke="${GRID}"/>`,
      textAt({ x, y: bottom + 12 }, figure(tick), {
        size: SIZES.tick,
        colour: SOFT_INK,
        anchor: "middle",
      }),
    ];
  });
}

/** The same, with their names on the left. */
export function horizontalGrid(scale: Scale, left: number, right: number): string[] {
  return scale.ticks.flatMap((tick) => {
    const y = scale.at(tick);
    return [
      `<path d="M${at(left)} ${at(y)}H${at(right)}" stroke="${GRID}"/>`,
      textAt({ x: left - 7, y }, figure(tick), {
        size: SIZES.tick,
        colour: SOFT_INK,
        anchor: "end",
      }),
    ];
  });
}

/** From zero up, unless on a log scale, where zero is not. */
export function rangeOf(kind: ScaleKind, values: readonly number[]): ScaleRange {
  const shown = values.filter(
    (value) => Number.isFinite(value) && (kind === "linear" || value > 0),
  );
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of shown) [least, most] = [Math.min(least, value), Math.max(most, value)];
  if (kind === "linear") return { least: Math.min(0, least), most: Math.max(0, most) };
  return shown.length === 0 ? { least: 1, most: 10 } : { least, most };
}

/** Whether a value has a place on such a scale. */
export function isShown(kind: ScaleKind, value: number): boolean {
  return Number.isFinite(value) && (kind === "linear" || value > 0);
}
