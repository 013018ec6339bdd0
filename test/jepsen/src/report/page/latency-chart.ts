/** How long operations took that went well: median, 99th percentile and longest, over time. */

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
import { INFO, type OperationTable } from "./operation-table.ts";
import { countText, durationText } from "./quantity.ts";
import type { FaultData } from "./report-data.ts";
import type { TimeScale } from "./time-scale.ts";

const HEIGHT = 172;
const TOP = 8;
const FLOOR = HEIGHT - 6;
const LOWEST_NS = 1e5;
const HIGHEST_NS = 1e10;
/** Marks of operations of which nobody knows; more would be one stroke. */
const INFO_MARKS_MAX = 3_000;

const CURVES = [
  { name: "longest", quantile: 1 },
  { name: "p99", quantile: 0.99 },
  { name: "p50", quantile: 0.5 },
] as const;

interface Column {
  /** In the order of {@link CURVES}; empty where nothing ended. */
  readonly ns: readonly number[];
  readonly count: number;
}

export class LatencyChart implements Chart {
  readonly plot: SVGSVGElement = plotSvg(HEIGHT);
  readonly root: HTMLElement;
  readonly #operations: OperationTable;
  readonly #faults: readonly FaultData[];
  #columns: readonly Column[] = [];

  constructor(operations: OperationTable, faults: readonly FaultData[]) {
    this.#operations = operations;
    this.#faults = faults;
    const legend = [
      ["p50", "median"],
      ["p99", "99 %"],
      ["longest", "longest"],
      ["info", "gave up after: nobody knows"],
    ] as const;
    this.root = chartRoot("Time that operations took", legend, this.plot);
  }

  draw(scale: TimeScale): void {
    clearPlot(this.plot, scale);
    drawFaultBands(this.plot, scale, { faults: this.#faults, height: FLOOR });
    for (let ns = LOWEST_NS; ns <= HIGHEST_NS; ns *= 10)
      drawLevel(this.plot, scale, { y: yOf(ns), label: levelText(ns) });
    this.#columns = this.#measure(scale);
    this.#drawInfos(scale);
    const step = (scale.right - scale.left) / this.#columns.length;
    for (const [i, { name }] of CURVES.entries()) {
      let path = "";
      for (const [column, { ns }] of this.#columns.entries()) {
        const value = ns[i];
        if (value === undefined) continue;
        // Where nothing ended there is no line.
        const isApart = path === "" || this.#columns[column - 1]?.ns[i] === undefined;
        const x = scale.left + (column + 0.5) * step;
        path += `${isApart ? "M" : "L"}${x.toFixed(1)} ${yOf(value).toFixed(1)}`;
        // One that stands alone is a line, too, for its ends are round.
        if (isApart) path += "h0.1";
      }
      this.plot.append(svgElement("path", { class: `curve ${name}`, d: path }));
    }
  }

  lookUp(scale: TimeScale, x: number): readonly string[] | undefined {
    const share = (scale.ns(x) - scale.beginNs) / (scale.endNs - scale.beginNs);
    const column = this.#columns[Math.floor(share * this.#columns.length)];
    if (column === undefined || column.count === 0) return undefined;
    const [longest = 0, p99 = 0, p50 = 0] = column.ns;
    return [
      `median ${durationText(p50)}, 99 % ${durationText(p99)}, longest ${durationText(longest)}`,
      `${countText(column.count)} operations`,
    ];
  }

  #measure(scale: TimeScale): Column[] {
    const length = columnCount(scale, this.#operations.countEnded(scale));
    const columnNs = (scale.endNs - scale.beginNs) / length;
    const columnOf = (i: number): number =>
      this.#operations.outcome(i) === 0
        ? Math.floor((this.#operations.endNs(i) - scale.beginNs) / columnNs)
        : -1;
    const ends = new Uint32Array(length + 1);
    for (let i = 0; i < this.#operations.count; i++) {
      const column = columnOf(i);
      if (column >= 0 && column < length) ends[column + 1] = (ends[column + 1] ?? 0) + 1;
    }
    for (let column = 0; column < length; column++)
      ends[column + 1] = (ends[column + 1] ?? 0) + (ends[column] ?? 0);
    const places = ends.slice();
    const sorted = new Float64Array(ends[length] ?? 0);
    for (let i = 0; i < this.#operations.count; i++) {
      const column = columnOf(i);
      if (column < 0 || column >= length) continue;
      const place = places[column] ?? 0;
      sorted[place] = this.#operations.durations[i] ?? 0;
      places[column] = place + 1;
    }
    return Array.from({ length }, (_, column) =>
      columnAt(sorted.subarray(ends[column] ?? 0, ends[column + 1] ?? 0)),
    );
  }

  #drawInfos(scale: TimeScale): void {
    let marks = 0;
    for (let i = 0; i < this.#operations.count && marks < INFO_MARKS_MAX; i++) {
      if (this.#operations.outcome(i) !== INFO) continue;
      const endNs = this.#operations.endNs(i);
      if (endNs < scale.beginNs || endNs > scale.endNs) continue;
      marks += 1;
      const cy = yOf(this.#operations.durations[i] ?? 0);
      this.plot.append(svgElement("circle", { class: "mark info", cx: scale.x(endNs), cy, r: 2 }));
    }
  }
}

/** @param durations - Sorted here. */
function columnAt(durations: Float64Array): Column {
  const { length } = durations;
  if (length === 0) return { ns: [], count: 0 };
  durations.sort();
  const at = (quantile: number): number =>
    durations[Math.max(0, Math.ceil(quantile * length) - 1)] ?? 0;
  return { ns: CURVES.map(({ quantile }) => at(quantile)), count: length };
}

function yOf(ns: number): number {
  const bounded = Math.min(HIGHEST_NS, Math.max(LOWEST_NS, ns));
  const share = Math.log(bounded / LOWEST_NS) / Math.log(HIGHEST_NS / LOWEST_NS);
  return FLOOR - share * (FLOOR - TOP);
}

function levelText(ns: number): string {
  return ns < 1e9 ? `${ns / 1e6} ms` : `${ns / 1e9} s`;
}
