/**
 * Every operation of every client: a row for each client, coloured by what became of it.
 *
 * On a canvas, for there are hundreds of thousands. What is shorter than a pixel shares it with its
 * neighbours, and the worst of them is seen; closer up each is a bar.
 */

import { type Chart, chartRoot } from "./chart.ts";
import { element } from "./element.ts";
import { firstFrom, INFO, type OperationTable } from "./operation-table.ts";
import { countText, durationText, momentText } from "./quantity.ts";
import { type FaultData, OUTCOMES, type WorkloadData } from "./report-data.ts";
import type { TimeScale } from "./time-scale.ts";

const HEIGHT_MAX = 440;
const ROW_HEIGHT_MIN = 4;
const ROW_HEIGHT_MAX = 15;
/** Below this a row is too low for a name of its own. */
const NAMED_HEIGHT = 11;

/** The operations of one client, ascending by their begins. */
interface Row {
  /** One after another. */
  readonly ended: readonly number[];
  readonly begins: readonly number[];
  /** Of which nobody knows: the client has gone on meanwhile, as somebody else. */
  readonly open: readonly number[];
}

export class ClientChart implements Chart {
  readonly plot: HTMLCanvasElement = element("canvas", { class: "plot" });
  readonly root: HTMLElement;
  readonly #operations: OperationTable;
  readonly #faults: readonly FaultData[];
  readonly #clientCount: number;
  readonly #rows: readonly Row[];
  readonly #rowHeight: number;
  /** Operations that show an anomaly. */
  readonly #suspects: readonly number[];

  constructor(operations: OperationTable, workload: WorkloadData) {
    const { clientCount, faults, anomalies } = workload;
    this.#operations = operations;
    this.#faults = faults;
    this.#clientCount = clientCount;
    this.#rows = rowsOf(operations, clientCount);
    const wanted = Math.floor(HEIGHT_MAX / clientCount);
    this.#rowHeight = Math.min(ROW_HEIGHT_MAX, Math.max(ROW_HEIGHT_MIN, wanted));
    const events = anomalies.flatMap((each) => each.operations.map(({ event }) => event));
    this.#suspects = events.map((event) => operations.findByEvent(event)).filter((i) => i >= 0);
    const legend = [
      ["ok", "ok"],
      ["fail", "fail"],
      ["info", "info"],
      ["suspect", "shows an anomaly"],
    ] as const;
    this.root = chartRoot("Operations of each client", legend, this.plot);
  }

  draw(scale: TimeScale): void {
    const height = this.#rows.length * this.#rowHeight;
    const ratio = window.devicePixelRatio;
    this.plot.width = Math.round(scale.width * ratio);
    this.plot.height = Math.round(height * ratio);
    this.plot.style.width = `${scale.width}px`;
    this.plot.style.height = `${height}px`;
    const context = this.plot.getContext("2d");
    if (context === null) return;
    context.scale(ratio, ratio);
    const style = getComputedStyle(this.plot);
    const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
    context.fillStyle = colour("band");
    for (const { beginNs, endNs } of this.#faults) {
      if (endNs < scale.beginNs || beginNs > scale.endNs) continue;
      const x = scale.clampedX(beginNs);
      context.fillRect(x, 0, Math.max(1, scale.clampedX(endNs) - x), height);
    }
    const colours = OUTCOMES.map((name) => colour(name));
    for (const [i, row] of this.#rows.entries()) {
      const y = i * this.#rowHeight;
      this.#drawEnded(context, { scale, row, y, colours });
      this.#drawOpen(context, { scale, row, y, colour: colour("info") });
    }
    this.#drawNames(context, scale, colour("muted"));
    this.#drawSuspects(context, scale, colour("bad"));
  }

  lookUp(scale: TimeScale, x: number, y: number): readonly string[] | undefined {
    const client = Math.floor(y / this.#rowHeight);
    const row = this.#rows[client];
    if (row === undefined) return undefined;
    const fromNs = scale.ns(x - 0.5);
    const toNs = scale.ns(x + 0.5);
    const found: number[] = [];
    for (let i = Math.max(0, firstFrom(row.begins, fromNs) - 1); i < row.ended.length; i++) {
      const operation = row.ended[i] as number;
      if (this.#operations.beginNs(operation) > toNs) break;
      if (this.#operations.endNs(operation) >= fromNs) found.push(operation);
    }
    const open = row.open.filter(
      (each) => this.#operations.beginNs(each) <= toNs && this.#operations.endNs(each) >= fromNs,
    );
    const all = found.length === 0 ? open : found;
    if (all.length === 0) return undefined;
    return all.length === 1 ? this.#describe(client, all[0] as number) : this.#sum(client, all);
  }

  #describe(client: number, operation: number): string[] {
    const { durations, processes, events } = this.#operations;
    const begin = momentText(this.#operations.beginNs(operation), 1e3);
    return [
      this.#operations.describe(operation),
      `${durationText(durations[operation] ?? 0)} from ${begin} on`,
      `client ${client}, process ${processes[operation] ?? 0}, event ${events[operation] ?? 0}`,
    ];
  }

  #sum(client: number, operations: readonly number[]): string[] {
    const counts = OUTCOMES.map((name, outcome) => {
      const of = operations.filter((each) => this.#operations.outcome(each) === outcome);
      return `${name} ${countText(of.length)}`;
    });
    return [`client ${client}: ${countText(operations.length)} operations`, counts.join(", ")];
  }

  #drawEnded(
    context: CanvasRenderingContext2D,
    {
      scale,
      row,
      y,
      colours,
    }: {
      readonly scale: TimeScale;
      readonly row: Row;
      readonly y: number;
      readonly colours: readonly string[];
    },
  ): void {
    const height = this.#rowHeight - 1;
    const worst = new Uint8Array(Math.ceil(scale.right - scale.left) + 1);
    for (let i = Math.max(0, firstFrom(row.begins, scale.beginNs) - 1); i < row.ended.length; i++) {
      const operation = row.ended[i] as number;
      const beginNs = this.#operations.beginNs(operation);
      if (beginNs > scale.endNs) break;
      if (this.#operations.endNs(operation) < scale.beginNs) continue;
      const outcome = this.#operations.outcome(operation);
      const x = scale.clampedX(beginNs);
      const width = scale.clampedX(this.#operations.endNs(operation)) - x;
      if (width < 2) {
        const column = Math.floor(x - scale.left);
        worst[column] = Math.max(worst[column] ?? 0, outcome + 1);
        continue;
      }
      context.fillStyle = colours[outcome] ?? "";
      context.fillRect(x, y, width - 0.5, height);
    }
    for (let column = 0; column < worst.length;) {
      const code = worst[column] ?? 0;
      let end = column + 1;
      while (end < worst.length && worst[end] === code) end += 1;
      context.fillStyle = colours[code - 1] ?? "";
      if (code > 0) context.fillRect(scale.left + column, y, end - column, height);
      column = end;
    }
  }

  /** Lower than the others, which go on meanwhile if nobody ever answers. */
  #drawOpen(
    context: CanvasRenderingContext2D,
    {
      scale,
      row,
      y,
      colour,
    }: {
      readonly scale: TimeScale;
      readonly row: Row;
      readonly y: number;
      readonly colour: string;
    },
  ): void {
    context.fillStyle = colour;
    for (const operation of row.open) {
      const endNs = this.#operations.endNs(operation);
      const beginNs = this.#operations.beginNs(operation);
      if (endNs < scale.beginNs || beginNs > scale.endNs) continue;
      const x = scale.clampedX(beginNs);
      const width = Math.max(1.5, scale.clampedX(endNs) - x);
      const height = Math.max(2, Math.round(this.#rowHeight / 2));
      context.fillRect(x, y + this.#rowHeight - 1 - height, width, height);
    }
  }

  #drawNames(context: CanvasRenderingContext2D, scale: TimeScale, colour: string): void {
    context.fillStyle = colour;
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "right";
    context.textBaseline = "middle";
    const every = Math.ceil(NAMED_HEIGHT / this.#rowHeight);
    for (let client = 0; client < this.#rows.length; client += every)
      context.fillText(`client ${client}`, scale.left - 8, (client + 0.5) * this.#rowHeight);
  }

  #drawSuspects(context: CanvasRenderingContext2D, scale: TimeScale, colour: string): void {
    context.strokeStyle = colour;
    context.lineWidth = 2;
    for (const operation of this.#suspects) {
      const beginNs = this.#operations.beginNs(operation);
      const endNs = this.#operations.endNs(operation);
      if (endNs < scale.beginNs || beginNs > scale.endNs) continue;
      const client = (this.#operations.processes[operation] ?? 0) % this.#clientCount;
      const x = scale.clampedX(beginNs);
      const width = Math.max(3, scale.clampedX(endNs) - x);
      const y = client * this.#rowHeight;
      context.strokeRect(x - 1, y - 0.5, width + 2, this.#rowHeight);
    }
  }
}

function rowsOf(operations: OperationTable, clientCount: number): Row[] {
  const rows = Array.from({ length: clientCount }, () => ({
    ended: [] as number[],
    begins: [] as number[],
    open: [] as number[],
  }));
  for (let i = 0; i < operations.count; i++) {
    const row = rows[(operations.processes[i] ?? 0) % clientCount];
    if (row === undefined) continue;
    if (operations.outcome(i) === INFO) row.open.push(i);
    else {
      row.ended.push(i);
      row.begins.push(operations.beginNs(i));
    }
  }
  return rows;
}
