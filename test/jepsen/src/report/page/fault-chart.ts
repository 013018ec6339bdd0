/** What was done to the cluster, and when: a bar for each fault, in rows where they overlap. */

import { type Chart, chartRoot, clearPlot, plotSvg } from "./chart.ts";
import { svgElement } from "./element.ts";
import { durationText } from "./quantity.ts";
import type { FaultData } from "./report-data.ts";
import type { TimeScale } from "./time-scale.ts";

const ROW_HEIGHT = 19;
/** Rows; what finds no place in them is drawn over others. */
const ROWS_MAX = 8;

export class FaultChart implements Chart {
  readonly plot: SVGSVGElement;
  readonly root: HTMLElement;
  readonly #faults: readonly FaultData[];
  /** Of each fault. */
  readonly #rows: readonly number[];

  constructor(faults: readonly FaultData[]) {
    this.#faults = faults;
    this.#rows = rowsOf(faults);
    this.plot = plotSvg((Math.max(0, ...this.#rows) + 1) * ROW_HEIGHT);
    this.root = chartRoot("Faults", [], this.plot);
  }

  draw(scale: TimeScale): void {
    clearPlot(this.plot, scale);
    for (const [i, { name, beginNs, endNs }] of this.#faults.entries()) {
      if (endNs < scale.beginNs || beginNs > scale.endNs) continue;
      const x = scale.clampedX(beginNs);
      const y = (this.#rows[i] ?? 0) * ROW_HEIGHT + 1;
      const width = Math.max(3, scale.clampedX(endNs) - x);
      const height = ROW_HEIGHT - 3;
      this.plot.append(svgElement("rect", { class: "fault", x, y, width, height, rx: 2 }));
      // As long as there is room for it; six pixels are a letter.
      const letters = Math.floor((width - 8) / 6.2);
      const text = name.length <= letters ? name : `${name.slice(0, Math.max(0, letters - 1))}…`;
      if (letters < 3) continue;
      this.plot.append(svgElement("text", { class: "fault-name", x: x + 5, y: y + 12 }, text));
    }
  }

  lookUp(scale: TimeScale, x: number, y: number): readonly string[] | undefined {
    const row = Math.floor(y / ROW_HEIGHT);
    const roomNs = 3 * scale.nsPerPixel;
    const ns = scale.ns(x);
    const fault = this.#faults.find(
      ({ beginNs, endNs }, i) =>
        this.#rows[i] === row && ns >= beginNs - roomNs && ns <= endNs + roomNs,
    );
    return fault === undefined ? undefined : describeFault(fault);
  }
}

function describeFault({ name, beginNs, endNs, nodes, words, evidence, gap }: FaultData): string[] {
  const lines = [`${name}, ${durationText(endNs - beginNs)}`];
  if (nodes !== "") lines.push(`nodes ${nodes}`);
  if (words !== "") lines.push(words);
  if (evidence !== "") lines.push(evidence);
  if (gap === null) return lines;
  const { duringNs, afterNs } = gap;
  return [...lines, `no write for ${durationText(duringNs)}, afterwards ${durationText(afterNs)}`];
}

/** The first row in which nothing else is at the time; they are ascending by their begins. */
function rowsOf(faults: readonly FaultData[]): number[] {
  const ends: number[] = [];
  return faults.map(({ beginNs, endNs }) => {
    const free = ends.findIndex((end) => end <= beginNs);
    const row = Math.min(free === -1 ? ends.length : free, ROWS_MAX - 1);
    ends[row] = endNs;
    return row;
  });
}
