/** Who led, in which term, and who was down: a row for each node. */

import { type Chart, chartRoot, clearPlot, plotSvg } from "./chart.ts";
import { svgElement } from "./element.ts";
import { countText, durationText } from "./quantity.ts";
import type { NodeData, NodeSpan } from "./report-data.ts";
import type { TimeScale } from "./time-scale.ts";

const ROW_HEIGHT = 22;
/** States that have a colour of their own; all others look like a follower. */
const COLOURED: ReadonlySet<string> = new Set(["leader", "candidate", "learner", "down", "paused"]);

export class NodeChart implements Chart {
  readonly plot: SVGSVGElement;
  readonly root: HTMLElement;
  readonly #nodes: readonly NodeData[];

  constructor(nodes: readonly NodeData[]) {
    this.#nodes = nodes;
    this.plot = plotSvg(Math.max(1, nodes.length) * ROW_HEIGHT);
    const legend = [
      ["leader", "leader, with its term"],
      ["follower", "follower"],
      ["candidate", "candidate"],
      ["paused", "says nothing: paused"],
      ["down", "down"],
    ] as const;
    this.root = chartRoot("Nodes", legend, this.plot);
  }

  draw(scale: TimeScale): void {
    clearPlot(this.plot, scale);
    for (const [row, { nodeId, spans }] of this.#nodes.entries()) {
      const y = row * ROW_HEIGHT + 2;
      const name = { class: "label", x: scale.left - 8, y: y + 13, "text-anchor": "end" };
      this.plot.append(svgElement("text", name, `node ${nodeId}`));
      for (const span of spans) this.#drawSpan(scale, span, y);
    }
  }

  #drawSpan(scale: TimeScale, { beginNs, endNs, state, term }: NodeSpan, y: number): void {
    if (endNs < scale.beginNs || beginNs > scale.endNs) return;
    const x = scale.clampedX(beginNs);
    const width = Math.max(1, scale.clampedX(endNs) - x);
    const name = COLOURED.has(state) ? state : "follower";
    const height = ROW_HEIGHT - 4;
    this.plot.append(svgElement("rect", { class: `node ${name}`, x, y, width, height }));
    const text = `term ${term}`;
    const label = width > 6.5 * text.length ? text : String(term);
    if (state !== "leader" || width < 7 * label.length) return;
    this.plot.append(svgElement("text", { class: "term", x: x + 4, y: y + 13 }, label));
  }

  lookUp(scale: TimeScale, x: number, y: number): readonly string[] | undefined {
    const node = this.#nodes[Math.floor(y / ROW_HEIGHT)];
    const ns = scale.ns(x);
    const span = node?.spans.find((each) => ns >= each.beginNs && ns < each.endNs);
    if (node === undefined || span === undefined) return undefined;
    return [
      `node ${node.nodeId}: ${span.state} for ${durationText(span.endNs - span.beginNs)}`,
      `term ${span.term}, then applied up to ${countText(span.appliedIndex)}`,
    ];
  }
}
