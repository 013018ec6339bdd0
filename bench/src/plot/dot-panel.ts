/** Single measurements in rows: how they are spread, and how the worst of them stands apart. */

import type { DotPanel, DotRow } from "./chart.ts";
import { figure } from "./figure.ts";
import { AXIS, INK, SIZES, SOFT_INK } from "./look.ts";
import {
  HEADING_HEIGHT,
  headingOf,
  isShown,
  type Paint,
  rangeOf,
  TICKS_HEIGHT,
  verticalGrid,
} from "./panel-frame.ts";
import { type Scale, scaleOf } from "./scale.ts";
import { at, balanced, textAt, widthOf } from "./text.ts";

const ROW_HEIGHT = 50;
const LABEL_LINE = 16;
const LABELS_SHARE_MAX = 0.25;
const TICK_WIDTH = 90;
/** From the middle of a row, for dots that would hide each other. */
const SCATTER = 14;
/** Multiples of the golden section, without their whole parts, are never close together. */
const GOLDEN = 0.618_033_988_75;

export function dotPanelHeight({ rows }: DotPanel): number {
  return HEADING_HEIGHT + rows.length * ROW_HEIGHT + TICKS_HEIGHT;
}

export function drawDotPanel(panel: DotPanel, { box, colours }: Paint): string[] {
  const kind = panel.scale ?? "linear";
  const rows = panel.rows.map((row) => {
    const values = row.values.filter((value) => isShown(kind, value)).toSorted((a, b) => a - b);
    return { ...row, values, words: wordsOf(values) };
  });
  const labels = rows.map(({ name }) => balanced(name, SIZES.label, box.width * LABELS_SHARE_MAX));
  const labelWidths = labels.flat().map((line) => widthOf(line, SIZES.label));
  const wordWidths = rows.map(({ words }) => widthOf(words, SIZES.figure));
  const left = box.x + Math.max(0, ...labelWidths) + 18;
  const right = box.x + box.width - Math.max(0, ...wordWidths) - 22;
  const top = box.y + HEADING_HEIGHT;
  const bottom = top + rows.length * ROW_HEIGHT;
  const all = rows.flatMap(({ values }) => values);
  const tickCount = Math.max(2, Math.floor((right - left) / TICK_WIDTH));
  const scale = scaleOf(kind, { ...rangeOf(kind, all), tickCount }, { from: left, to: right });
  const drawn = [
    ...headingOf(box, panel.title, panel.unit),
    ...verticalGrid(scale, top, bottom),
    `<path d="M${at(left)} ${at(bottom)}H${at(right)}" stroke="${AXIS}"/>`,
  ];
  for (const [i, row] of rows.entries()) {
    const y = top + (i + 0.5) * ROW_HEIGHT;
    const lines = labels[i] ?? [];
    for (const [line, text] of lines.entries()) {
      const lineY = y + (line - (lines.length - 1) / 2) * LABEL_LINE;
      const style = { size: SIZES.label, colour: INK, anchor: "end" } as const;
      drawn.push(textAt({ x: left - 14, y: lineY }, text, style));
    }
    drawn.push(...dotsOf(row, { y, scale, colour: colours.get(row.series) ?? SOFT_INK }));
    drawn.push(textAt({ x: right + 18, y }, row.words, { size: SIZES.figure, colour: INK }));
  }
  return drawn;
}

function dotsOf(
  { values }: DotRow,
  { y, scale, colour }: { readonly y: number; readonly scale: Scale; readonly colour: string },
): string[] {
  const dots = values.map((value, i) => {
    const off = ((((i + 0.5) * GOLDEN) % 1) * 2 - 1) * SCATTER;
    const where = `cx="${at(scale.at(value))}" cy="${at(y + off)}"`;
    return `<circle ${where} r="4" fill="${colour}" fill-opacity="0.55"/>`;
  });
  const median = medianOf(values);
  if (median === undefined) return dots;
  const path = `M${at(scale.at(median))} ${at(y - SCATTER - 5)}v${2 * SCATTER + 10}`;
  return [...dots, `<path d="${path}" stroke="${INK}" stroke-width="2.2"/>`];
}

function wordsOf(sorted: readonly number[]): string {
  const [median, worst] = [medianOf(sorted), sorted.at(-1)];
  if (median === undefined || worst === undefined) return "not measured";
  return `median ${figure(median)}, worst ${figure(worst)}`;
}

function medianOf(sorted: readonly number[]): number | undefined {
  return sorted[Math.floor(sorted.length / 2)];
}
