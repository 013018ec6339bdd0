/** The moments of the run, above the other charts. */

import { type Chart, clearPlot, plotSvg } from "./chart.ts";
import { element, svgElement } from "./element.ts";
import { momentText } from "./quantity.ts";
import type { PhaseData } from "./report-data.ts";
import type { TimeScale } from "./time-scale.ts";

const HEIGHT = 38;

export class AxisChart implements Chart {
  readonly plot: SVGSVGElement = plotSvg(HEIGHT);
  readonly root: HTMLElement = element("section", { class: "chart axis" }, this.plot);
  readonly #phases: readonly PhaseData[];

  constructor(phases: readonly PhaseData[]) {
    this.#phases = phases;
  }

  draw(scale: TimeScale): void {
    clearPlot(this.plot, scale);
    for (const { name, beginNs, endNs } of this.#phases) {
      if (endNs < scale.beginNs || beginNs > scale.endNs) continue;
      const x = scale.clampedX(beginNs);
      const width = scale.clampedX(endNs) - x;
      this.plot.append(svgElement("rect", { class: "phase", x, y: 1, width, height: 15 }));
      if (width > 7 * name.length)
        this.plot.append(svgElement("text", { class: "label", x: x + 5, y: 12 }, name));
    }
    const { stepNs, moments } = scale.ticks();
    for (const ns of moments) {
      const x = scale.x(ns);
      this.plot.append(
        svgElement("line", { class: "tick", x1: x, x2: x, y1: 18, y2: 22 }),
        svgElement(
          "text",
          { class: "label", x, y: 34, "text-anchor": "middle" },
          momentText(ns, stepNs),
        ),
      );
    }
  }

  lookUp(scale: TimeScale, x: number): readonly string[] | undefined {
    const ns = scale.ns(x);
    const phase = this.#phases.find(({ beginNs, endNs }) => ns >= beginNs && ns < endNs);
    return phase === undefined ? undefined : [phase.name];
  }
}
