/** Lines over an axis: time, or what was under way. */

import type { Line, LinePanel, Point } from "./chart.ts";
import { figure } from "./figure.ts";
import { AXIS, PAPER, SIZES, SOFT_INK } from "./look.ts";
import {
  type Box,
  HEADING_HEIGHT,
  headingOf,
  horizontalGrid,
  isShown,
  type Paint,
  rangeOf,
  TICKS_HEIGHT,
} from "./panel-frame.ts";
import { type Scale, scaleOf } from "./scale.ts";
import { at, textAt, widthOf } from "./text.ts";

const PLOT_HEIGHT = 150;
const X_TITLE_HEIGHT = 18;
/** Above the plot, for a value that is printed at the highest point. */
const HEADROOM = 14;
/** Above that, for names of rules. */
const RULE_NAME_HEIGHT = 16;
/** Of a line: more than that many are one line to the eye. */
const POINTS_MAX = 800;
const MARKED_POINTS_MAX = 40;
const TICK_WIDTH = 80;
/** Of a value, from its point. */
const VALUE_OFFSET = 13;
const VALUE_ASIDE = 11;
/** Between the points before and after it, up or down. */
const STEEP = 25;

interface Scales {
  readonly xScale: Scale;
  readonly scale: Scale;
}

export function linePanelHeight(panel: LinePanel): number {
  return HEADING_HEIGHT + headroomOf(panel) + PLOT_HEIGHT + TICKS_HEIGHT + X_TITLE_HEIGHT;
}

export function drawLinePanel(panel: LinePanel, { box, colours }: Paint): string[] {
  const [kind, xKind] = [panel.scale ?? "linear", panel.x.scale ?? "linear"];
  const isPlaced = ({ x, y }: Point): boolean => isShown(xKind, x) && isShown(kind, y);
  const lines = panel.lines.map((line) => ({ ...line, points: line.points.filter(isPlaced) }));
  const all = lines.flatMap(({ points }) => points);
  const top = box.y + HEADING_HEIGHT + headroomOf(panel);
  const bottom = top + PLOT_HEIGHT;
  const ys = all.flatMap(({ y, lowest = y, highest = y }) => [y, lowest, highest]);
  const range = rangeOf(kind, ys);
  // Values may be printed below their points.
  const isRoomNeeded = panel.lines.some(({ hasValues }) => hasValues === true);
  const least = kind === "log" && isRoomNeeded ? range.least / 2 : range.least;
  const span = { from: bottom, to: top };
  const scale = scaleOf(kind, { ...range, least, tickCount: 4 }, span);
  const ticks = scale.ticks.map((tick) => widthOf(figure(tick), SIZES.tick));
  const left = box.x + Math.max(24, ...ticks) + 8;
  const right = box.x + box.width - 12;
  const xScale = xScaleOf(panel, all, { from: left, to: right });
  const drawn = [
    ...headingOf(box, panel.title, panel.unit),
    ...horizontalGrid(scale, left, right),
    ...xAxis(panel, xScale, { left, right, bottom }),
    ...rulesOf(panel, xScale, { top: box.y + HEADING_HEIGHT, bottom }),
  ];
  // What is named first is drawn last, above the others; and values above all lines.
  for (const line of lines.toReversed())
    drawn.push(...drawLine(line, { xScale, scale, colour: colours.get(line.series) ?? SOFT_INK }));
  return [...drawn, ...valuesOf(lines, { xScale, scale, colours })];
}

function headroomOf({ rules = [] }: LinePanel): number {
  return HEADROOM + (rules.length > 0 ? RULE_NAME_HEIGHT : 0);
}

/** Beginning at zero, if it is linear and no ticks are given. */
function xScaleOf(
  { x }: LinePanel,
  points: readonly Point[],
  span: { readonly from: number; readonly to: number },
): Scale {
  const kind = x.scale ?? "linear";
  const range = rangeOf(kind, [...points.map((point) => point.x), ...(x.ticks ?? [])]);
  const tickCount = Math.max(2, Math.floor((span.to - span.from) / TICK_WIDTH));
  const isGiven = x.ticks !== undefined;
  const width = span.to - span.from;
  const inset = isGiven ? { from: span.from + width * 0.09, to: span.to - width * 0.06 } : span;
  const tight = range.most > range.least;
  const scale = scaleOf(kind, { ...range, tickCount, isTight: tight }, inset);
  return x.ticks === undefined ? scale : { ...scale, ticks: x.ticks };
}

function xAxis(
  { x }: LinePanel,
  scale: Scale,
  {
    left,
    right,
    bottom,
  }: { readonly left: number; readonly right: number; readonly bottom: number },
): string[] {
  const style = { size: SIZES.tick, colour: SOFT_INK, anchor: "middle" } as const;
  const names = scale.ticks.map((tick) =>
    textAt({ x: scale.at(tick), y: bottom + 13 }, figure(tick), style),
  );
  const dashes = scale.ticks.map((tick) => `M${at(scale.at(tick))} ${at(bottom)}v4`).join("");
  return [
    `<path d="M${at(left)} ${at(bottom)}H${at(right)}${dashes}" stroke="${AXIS}" fill="none"/>`,
    ...names,
    textAt({ x: (left + right) / 2, y: bottom + 31 }, x.title, style),
  ];
}

function rulesOf(
  { rules = [] }: LinePanel,
  scale: Scale,
  { top, bottom }: { readonly top: number; readonly bottom: number },
): string[] {
  return rules.flatMap(({ x, name }) => {
    const place = scale.at(x);
    const isLate = place + widthOf(name, SIZES.tick) > scale.at(scale.most);
    const anchor = isLate ? "end" : "start";
    const style = { size: SIZES.tick, colour: SOFT_INK, anchor, hasHalo: true } as const;
    return [
      `<path d="M${at(place)} ${at(top)}V${at(bottom)}" stroke="${AXIS}" stroke-dasharray="4 3"/>`,
      textAt({ x: place + (isLate ? -6 : 6), y: top + 5 }, name, style),
    ];
  });
}

function drawLine(
  line: Line,
  { xScale, scale, colour }: Scales & { readonly colour: string },
): string[] {
  const points = thinned(line.points);
  const place = ({ x, y }: Point): string => `${at(xScale.at(x))},${at(scale.at(y))}`;
  const drawn: string[] = [];
  if (points.some(({ lowest, highest }) => lowest !== highest)) {
    const upper = points.map(({ x, y, highest = y }) => place({ x, y: highest }));
    const lower = points.map(({ x, y, lowest = y }) => place({ x, y: lowest })).toReversed();
    const ends = [...upper, ...lower].join(" ");
    drawn.push(`<polygon points="${ends}" fill="${colour}" fill-opacity="0.16"/>`);
  }
  const look = `fill="none" stroke="${colour}" stroke-linejoin="round"`;
  const isMarked = points.length <= MARKED_POINTS_MAX;
  const width = isMarked ? 2.4 : 1.3;
  drawn.push(`<polyline ${look} stroke-width="${width}" points="${points.map(place).join(" ")}"/>`);
  for (const point of isMarked ? points : []) {
    const where = `cx="${at(xScale.at(point.x))}" cy="${at(scale.at(point.y))}"`;
    drawn.push(`<circle ${where} r="3.6" fill="${colour}" stroke="${PAPER}" stroke-width="1"/>`);
  }
  return drawn;
}

/** A value that would be on another one is left out: it is in the JSON. */
function valuesOf(
  lines: readonly Line[],
  { xScale, scale, colours }: Scales & Pick<Paint, "colours">,
): string[] {
  const drawn: string[] = [];
  const taken: Box[] = [];
  for (const line of lines.filter(({ hasValues }) => hasValues === true)) {
    const others = lines.filter((other) => other !== line).flatMap(({ points }) => points);
    const colour = colours.get(line.series) ?? SOFT_INK;
    for (const [i, { x, y }] of line.points.entries()) {
      const ys = others.filter((other) => other.x === x).map((other) => scale.at(other.y));
      const spotY = roomAt(scale.at(y), ys, scale.at(scale.least));
      const spot = { x: xScale.at(x) + asideOf(line.points, i, { scale, spotY }), y: spotY };
      const width = widthOf(figure(y), SIZES.tick, true);
      const box = { x: spot.x - width / 2, y: spot.y - SIZES.tick / 2, width, height: SIZES.tick };
      if (taken.some((other) => isOn(box, other))) continue;
      taken.push(box);
      const style = { size: SIZES.tick, colour, anchor: "middle", isBold: true } as const;
      drawn.push(textAt(spot, figure(y), { ...style, hasHalo: true }));
    }
  }
  return drawn;
}

/** Away from the line itself, where it goes steeply up or down through a point. */
function asideOf(
  points: readonly Point[],
  position: number,
  { scale, spotY }: { readonly scale: Scale; readonly spotY: number },
): number {
  const [before, point, after] = [-1, 0, 1].map((step) => points[position + step]);
  if (before === undefined || point === undefined || after === undefined) return 0;
  const rise = scale.at(before.y) - scale.at(after.y);
  if (Math.abs(rise) < STEEP) return 0;
  const isAbove = spotY < scale.at(point.y);
  return rise > 0 === isAbove ? -VALUE_ASIDE : VALUE_ASIDE;
}

/** Above a point or below it, whichever is farther from the other lines. */
function roomAt(y: number, others: readonly number[], bottom: number): number {
  const [above, below] = [y - VALUE_OFFSET, y + VALUE_OFFSET];
  if (below > bottom - VALUE_OFFSET) return above;
  const roomFrom = (place: number): number =>
    Math.min(...others.map((other) => Math.abs(other - place)));
  return roomFrom(below) > roomFrom(above) ? below : above;
}

function isOn(one: Box, other: Box): boolean {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  );
}

/** The highest of each stretch: a peak is what one looks for. */
function thinned(points: readonly Point[]): readonly Point[] {
  const stretch = Math.ceil(points.length / POINTS_MAX);
  if (stretch <= 1) return points;
  const kept: Point[] = [];
  for (let i = 0; i < points.length; i += stretch)
    kept.push(points.slice(i, i + stretch).reduce((a, b) => (b.y > a.y ? b : a)));
  return kept;
}
