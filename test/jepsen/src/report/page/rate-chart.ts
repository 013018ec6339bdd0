/** Operations per second, by what became of them. */

import {
  type Chart,
  chartRoot,
  clearPlot,
  columnCount,
  drawFaultBands,
  drawLevel,
  plotSvg,
} from "./chart.ts";
import { svgElement } from "./element.ts";
import type { OperationTable } from "./operation-table.ts";
import { countText, durationText } from "./quantity.ts";
import { type FaultData, OUTCOMES } from "./report-data.ts";
import type { TimeScale } from "./time-scale.ts";

const HEIGHT = 132;
const TOP = 8;
/** Where nothing is: with room below for half a figure. */
const FLOOR = HEIGHT - 6;

export class RateChart implements Chart {
  readonly plot: SVGSVGElement = plotSvg(HEIGHT);
  readonly root: HTMLElement;
  readonly #operations: OperationTable;
  readonly #faults: readonly FaultData[];
  /** By outcome, how many ended in each column of what is shown now. */
  #counts: readonly Uint32Array[] = [];
  #columnNs = 1;

  constructor(operations: OperationTable, faults: readonly FaultData[]) {
    this.#operations = operations;
    this.#faults = faults;
    const legend = [
      ["ok", "ok"],
      ["fail", "fail: not done"],
      ["info", "info: nobody knows"],
    ] as const;
    this.root = chartRoot("Operations per second", legend, this.plot);
  }

  draw(scale: TimeScale): void {
    clearPlot(this.plot, scale);
    drawFaultBands(this.plot, scale, { faults: this.#faults, height: FLOOR });
    const count = columnCount(scale, this.#operations.countEnded(scale));
    this.#columnNs = (scale.endNs - scale.beginNs) / count;
    this.#counts = this.#count(scale, count);
    const most = Math.max(1, ...this.#totals());
    const perSecond = 1e9 / this.#columnNs;
    const top = roundUp(most * perSecond);
    for (const level of [0, top / 2, top])
      drawLevel(this.plot, scale, { y: yOf(level, top), label: countText(level) });
    // The sum of all is drawn first, the others before it: what is left to see is their own.
    for (let outcome = OUTCOMES.length - 1; outcome >= 0; outcome--) {
      const points = Array.from({ length: count }, (_, column) => {
        const sum = this.#sumAt(column, outcome) * perSecond;
        const x = scale.left + ((column + 0.5) / count) * (scale.right - scale.left);
        return `${x.toFixed(1)},${yOf(sum, top).toFixed(1)}`;
      });
      const outline = [`${scale.left},${FLOOR}`, ...points, `${scale.right},${FLOOR}`];
      const name = `area ${OUTCOMES[outcome]}`;
      this.plot.append(svgElement("polygon", { class: name, points: outline.join(" ") }));
    }
  }

  lookUp(scale: TimeScale, x: number): readonly string[] | undefined {
    const column = Math.floor((scale.ns(x) - scale.beginNs) / this.#columnNs);
    const counts = OUTCOMES.map((name, outcome) => {
      const count = this.#counts[outcome]?.[column] ?? 0;
      return `${name} ${countText((count * 1e9) / this.#columnNs)}/s (${countText(count)})`;
    });
    return [...counts, `in ${durationText(this.#columnNs)}`];
  }

  #count(scale: TimeScale, count: number): Uint32Array[] {
    const counts = OUTCOMES.map(() => new Uint32Array(count));
    for (let i = 0; i < this.#operations.count; i++) {
      const column = Math.floor((this.#operations.endNs(i) - scale.beginNs) / this.#columnNs);
      if (column < 0 || column >= count) continue;
      const of = counts[this.#operations.outcome(i)];
      if (of !== undefined) of[column] = (of[column] ?? 0) + 1;
    }
    return counts;
  }

  #totals(): number[] {
    const length = this.#counts[0]?.length ?? 0;
    return Array.from({ length }, (_, column) => this.#sumAt(column, OUTCOMES.length - 1));
  }

  #sumAt(column: number, lastOutcome: number): number {
    let sum = 0;
    for (let outcome = 0; outcome <= lastOutcome; outcome++)
      sum += this.#counts[outcome]?.[column] ?? 0;
    return sum;
  }
}

function yOf(value: number, top: number): number {
  return FLOOR - (value / top) * (FLOOR - TOP);
}

/** To one or two figures. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const times = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((each) => each * power >= value) ?? 10;
  return times * power;
}
