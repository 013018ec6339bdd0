/** What all charts of a stack have in common: one scale of time, a title, a place to draw. */

import { element, svgElement } from "./element.ts";
import type { FaultData } from "./report-data.ts";
import type { TimeScale } from "./time-scale.ts";

export interface Chart {
  readonly root: HTMLElement;
  draw(scale: TimeScale): void;
  /** @returns what is at a point of {@link plot}, in lines, or `undefined` where nothing is. */
  lookUp(scale: TimeScale, x: number, y: number): readonly string[] | undefined;
  /** Which points count from. */
  readonly plot: Element;
}

/** Narrower columns would show chance alone. */
const COLUMN_PIXELS_MIN = 4;
const OPERATIONS_PER_COLUMN = 4;
const COLUMNS_MIN = 24;

/** A section with a heading, what its colours mean, and something to draw on. */
export function chartRoot(
  title: string,
  legend: readonly (readonly [className: string, words: string])[],
  plot: Element,
): HTMLElement {
  const keys = legend.map(([name, words]) =>
    element("span", { class: "key" }, element("i", { class: name }), words),
  );
  return element(
    "section",
    { class: "chart" },
    element("h3", {}, title, element("span", { class: "legend" }, ...keys)),
    plot,
  );
}

export function plotSvg(height: number): SVGSVGElement {
  return svgElement("svg", { height, class: "plot" });
}

/** Begins anew, as wide as the scale says. */
export function clearPlot(plot: SVGSVGElement, scale: TimeScale): void {
  plot.setAttribute("width", String(scale.width));
  plot.replaceChildren();
}

/** Where faults were, behind everything else; instants are a line. */
export function drawFaultBands(
  plot: SVGSVGElement,
  scale: TimeScale,
  { faults, height }: { readonly faults: readonly FaultData[]; readonly height: number },
): void {
  for (const { beginNs, endNs } of faults) {
    if (endNs < scale.beginNs || beginNs > scale.endNs) continue;
    const x = scale.clampedX(beginNs);
    const width = Math.max(1, scale.clampedX(endNs) - x);
    plot.append(svgElement("rect", { class: "band", x, y: 0, width, height }));
  }
}

/** Of a chart of figures: so few that there are some operations in each, and some pixels. */
export function columnCount(scale: TimeScale, operations: number): number {
  const most = Math.floor((scale.right - scale.left) / COLUMN_PIXELS_MIN);
  const wanted = Math.floor(operations / OPERATIONS_PER_COLUMN);
  return Math.max(1, Math.min(most, Math.max(wanted, COLUMNS_MIN)));
}

/** A line at a height, with its figure in the margin. */
export function drawLevel(
  plot: SVGSVGElement,
  scale: TimeScale,
  { y, label }: { readonly y: number; readonly label: string },
): void {
  plot.append(
    svgElement("line", { class: "level", x1: scale.left, x2: scale.right, y1: y, y2: y }),
    svgElement(
      "text",
      { class: "label", x: scale.left - 8, y: y + 4, "text-anchor": "end" },
      label,
    ),
  );
}
