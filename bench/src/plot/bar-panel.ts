/** Bars side by side, group by group, with their values printed and their spread as whiskers. */

import type { Bar, BarGroup, BarPanel } from "./chart.ts";
import { figure } from "./figure.ts";
import { AXIS, INK, SIZES, SOFT_INK } from "./look.ts";
import {
  HEADING_HEIGHT,
  headingOf,
  horizontalGrid,
  isShown,
  type Paint,
  rangeOf,
  TICKS_HEIGHT,
  verticalGrid,
  WHISKER,
} from "./panel-frame.ts";
import { type Scale, type ScaleRange, scaleOf } from "./scale.ts";
import { at, balanced, textAt, widthOf } from "./text.ts";

const BAR_HEIGHT = 19;
const BAR_GAP = 3;
const GROUP_GAP = 13;
const LABEL_LINE = 16;
/** Of a panel's width: names of groups beyond are broken into lines. */
const LABELS_SHARE_MAX = 0.34;
const VERTICAL_HEIGHT = 250;
/** Of a group's width, left empty between it and the next one. */
const VERTICAL_GAP_SHARE = 0.18;
const BAR_WIDTH_MAX = 56;
/** For the names of ticks on the left. */
const AXIS_WIDTH = 46;
/** Between names side by side. */
const NAME_GAP = 8;
/** For the value above the highest bar. */
const HEADROOM = 16;
const CAP = 3;
const NOT_MEASURED = "not measured";

export function barPanelHeight(panel: BarPanel, width: number): number {
  if (isVertical(panel, width)) return VERTICAL_HEIGHT;
  const labels = labelsOf(panel.groups, width);
  const heights = panel.groups.map((group, i) => groupHeight(group, labels.lines[i] ?? []));
  const gaps = GROUP_GAP * panel.groups.length;
  return HEADING_HEIGHT + heights.reduce((sum, each) => sum + each, gaps) + TICKS_HEIGHT;
}

export function drawBarPanel(panel: BarPanel, paint: Paint): string[] {
  const heading = headingOf(paint.box, panel.title, panel.unit);
  const isUpright = isVertical(panel, paint.box.width);
  const body = isUpright ? vertical(panel, paint) : horizontal(panel, paint);
  return [...heading, ...body];
}

/** Where names of groups would not fit side by side, the bars lie after all. */
function isVertical({ direction, groups }: BarPanel, width: number): boolean {
  const names = groups.map(({ name }) => widthOf(name, SIZES.label));
  const groupWidth = (width - AXIS_WIDTH) / Math.max(1, groups.length);
  return direction === "vertical" && Math.max(0, ...names) + NAME_GAP <= groupWidth;
}

function horizontal(panel: BarPanel, { box, colours }: Paint): string[] {
  const kind = panel.scale ?? "linear";
  const labels = labelsOf(panel.groups, box.width);
  const left = box.x + labels.width;
  const right = box.x + box.width - valuesWidth(panel);
  const top = box.y + HEADING_HEIGHT;
  const bottom = box.y + barPanelHeight(panel, box.width) - TICKS_HEIGHT;
  const tickCount = Math.max(2, Math.floor((right - left) / 90));
  const scale = scaleOf(kind, { ...barRange(panel), tickCount }, { from: left, to: right });
  const drawn = verticalGrid(scale, top, bottom);
  let y = top + GROUP_GAP / 2;
  for (const [i, group] of panel.groups.entries()) {
    const lines = labels.lines[i] ?? [];
    const height = groupHeight(group, lines);
    const middle = y + height / 2;
    for (const [line, text] of lines.entries()) {
      const lineY = middle + (line - (lines.length - 1) / 2) * LABEL_LINE;
      const style = { size: SIZES.label, colour: INK, anchor: "end" } as const;
      drawn.push(textAt({ x: left - 9, y: lineY }, text, style));
    }
    let barY = middle - barsHeight(group) / 2;
    for (const bar of group.bars) {
      drawn.push(...horizontalBar(bar, { y: barY, left, scale, colour: colours.get(bar.series) }));
      barY += BAR_HEIGHT + BAR_GAP;
    }
    y += height + GROUP_GAP;
  }
  drawn.push(`<path d="M${at(left)} ${at(top)}V${at(bottom)}" stroke="${AXIS}"/>`);
  return drawn;

  function horizontalBar(
    bar: Bar,
    where: { y: number; left: number; scale: Scale; colour: string | undefined },
  ): string[] {
    const middle = where.y + BAR_HEIGHT / 2;
    const style = { size: SIZES.figure, colour: INK, hasHalo: true };
    if (!isShown(kind, bar.value))
      return [textAt({ x: left + 7, y: middle }, wordOf(bar), { ...style, colour: SOFT_INK })];
    const end = scale.at(bar.value);
    const [low, high] = spreadOf(bar).map((value) => scale.at(value)) as [number, number];
    const place = `x="${at(left)}" y="${at(where.y)}"`;
    const size = `width="${at(Math.max(1, end - left))}" height="${BAR_HEIGHT}"`;
    const parts = [`<rect ${place} ${size} rx="1.5" fill="${where.colour ?? SOFT_INK}"/>`];
    if (high > low) {
      const caps = [low, high].map((x) => `M${at(x)} ${at(middle - CAP)}v${2 * CAP}`).join("");
      const path = `M${at(low)} ${at(middle)}H${at(high)}${caps}`;
      parts.push(`<path d="${path}" stroke="${WHISKER}" stroke-width="1.3" fill="none"/>`);
    }
    const x = Math.max(end, high) + 6;
    return [...parts, textAt({ x, y: middle }, figure(bar.value), style)];
  }
}

function vertical(panel: BarPanel, { box, colours }: Paint): string[] {
  const kind = panel.scale ?? "linear";
  const [left, right] = [box.x + AXIS_WIDTH, box.x + box.width];
  const groupWidth = (right - left) / Math.max(1, panel.groups.length);
  const most = Math.max(1, ...panel.groups.map(({ bars }) => bars.length));
  const pitch = Math.min(BAR_WIDTH_MAX, (groupWidth * (1 - VERTICAL_GAP_SHARE)) / most);
  const isTurned = valuesWidth(panel) - 8 > pitch;
  const bottom = box.y + box.height - TICKS_HEIGHT;
  const headroom = isTurned ? valuesWidth(panel) : HEADROOM;
  const span = { from: bottom, to: box.y + HEADING_HEIGHT + headroom };
  const scale = scaleOf(kind, { ...barRange(panel), tickCount: 4 }, span);
  const drawn = horizontalGrid(scale, left, right);
  for (const [i, group] of panel.groups.entries()) {
    const middle = left + groupWidth * (i + 0.5);
    for (const [j, bar] of group.bars.entries()) {
      const x = middle + (j - group.bars.length / 2) * pitch;
      drawn.push(...verticalBar(bar, x));
    }
    const style = { size: SIZES.label, colour: INK, anchor: "middle" } as const;
    drawn.push(textAt({ x: middle, y: bottom + 13 }, group.name, style));
  }
  drawn.push(`<path d="M${at(left)} ${at(bottom)}H${at(right)}" stroke="${AXIS}"/>`);
  return drawn;

  function verticalBar(bar: Bar, x: number): string[] {
    const middle = x + pitch / 2;
    const label = (y: number, text: string, colour: string): string =>
      isTurned
        ? textAt({ x: middle, y: y - 6 }, text, { size: SIZES.figure, colour, turned: -90 })
        : textAt({ x: middle, y: y - 9 }, text, {
            size: SIZES.figure,
            colour,
            anchor: "middle",
            hasHalo: true,
          });
    if (!isShown(kind, bar.value)) return [label(bottom, "-", SOFT_INK)];
    const top = scale.at(bar.value);
    const [low, high] = spreadOf(bar).map((value) => scale.at(value)) as [number, number];
    const place = `x="${at(x + 1)}" y="${at(top)}"`;
    const size = `width="${at(pitch - 2)}" height="${at(Math.max(1, bottom - top))}"`;
    const fill = colours.get(bar.series) ?? SOFT_INK;
    const parts = [`<rect ${place} ${size} rx="1.5" fill="${fill}"/>`];
    if (low > high) {
      const caps = [low, high].map((y) => `M${at(middle - CAP)} ${at(y)}h${2 * CAP}`).join("");
      const path = `M${at(middle)} ${at(low)}V${at(high)}${caps}`;
      parts.push(`<path d="${path}" stroke="${WHISKER}" stroke-width="1.3" fill="none"/>`);
    }
    return [...parts, label(Math.min(top, high), figure(bar.value), INK)];
  }
}

/** A bar of the least value is still one: on a log scale the axis starts well below. */
function barRange(panel: BarPanel): ScaleRange {
  const kind = panel.scale ?? "linear";
  const bars = panel.groups.flatMap((group) => group.bars);
  const range = rangeOf(kind, [...bars.flatMap(spreadOf), ...bars.map(({ value }) => value)]);
  return kind === "log" ? { ...range, least: range.least / 2 } : range;
}

function spreadOf({ value, lowest = value, highest = value }: Bar): [number, number] {
  return [lowest, highest];
}

function wordOf({ value }: Bar): string {
  return value === 0 ? "0" : NOT_MEASURED;
}

function valuesWidth({ groups }: BarPanel): number {
  const texts = groups.flatMap(({ bars }) => bars.map(({ value }) => figure(value)));
  return Math.max(0, ...texts.map((text) => widthOf(text, SIZES.figure))) + 12;
}

function labelsOf(
  groups: readonly BarGroup[],
  panelWidth: number,
): { readonly lines: readonly string[][]; readonly width: number } {
  const widthMax = panelWidth * LABELS_SHARE_MAX;
  const lines = groups.map(({ name }) => balanced(name, SIZES.label, widthMax));
  const widths = lines.flat().map((line) => widthOf(line, SIZES.label));
  return { lines, width: Math.max(0, ...widths) + 10 };
}

function barsHeight({ bars }: BarGroup): number {
  return bars.length * (BAR_HEIGHT + BAR_GAP) - BAR_GAP;
}

function groupHeight(group: BarGroup, lines: readonly string[]): number {
  return Math.max(barsHeight(group), lines.length * LABEL_LINE);
}
