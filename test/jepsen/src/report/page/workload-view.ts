/** All that is told of one workload and its cluster. */

import { anomalyList } from "./anomaly-list.ts";
import { AxisChart } from "./axis-chart.ts";
import { ClientChart } from "./client-chart.ts";
import { element } from "./element.ts";
import { FaultChart } from "./fault-chart.ts";
import { gapTable } from "./fault-table.ts";
import { LatencyChart } from "./latency-chart.ts";
import { NodeChart } from "./node-chart.ts";
import { OperationTable } from "./operation-table.ts";
import { countText } from "./quantity.ts";
import { RateChart } from "./rate-chart.ts";
import type { PhaseData, WorkloadData } from "./report-data.ts";
import { Stack, windowControls } from "./stack.ts";
import type { TimeWindow } from "./time-window.ts";

export function workloadView(
  workload: WorkloadData,
  { phases, window }: { readonly phases: readonly PhaseData[]; readonly window: TimeWindow },
): HTMLElement {
  const { name, columns, faults, nodes } = workload;
  const operations = new OperationTable(columns);
  const stack = new Stack(
    [
      new AxisChart(phases),
      new FaultChart(faults),
      new NodeChart(nodes),
      new RateChart(operations, faults),
      new LatencyChart(operations, faults),
      new ClientChart(operations, workload),
    ],
    window,
  );
  // Light and dark have colours of their own, which a canvas does not change by itself.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    stack.redraw();
  });
  const show = (beginNs: number, endNs: number): void => {
    window.showAround(beginNs, endNs);
    stack.root.scrollIntoView({ block: "start", behavior: "smooth" });
  };
  const anomalies = anomalyList(workload, show);
  return element(
    "div",
    { class: "workload", id: `workload-${name}` },
    summary(workload),
    ...(anomalies === undefined ? [] : [anomalies]),
    element(
      "section",
      { class: "card charts" },
      element("h2", {}, `What happened: ${name}`),
      windowControls(window),
      stack.root,
      ...leftOutNote(operations),
    ),
    gapTable(workload, show),
  );
}

function summary({ kind, counts, operations, nodes }: WorkloadData): HTMLElement {
  const { ok, fail, info } = operations;
  const words = [
    `${nodes.length} nodes serve ${kind}`,
    `${countText(ok)} operations ok, ${countText(fail)} not done, ${countText(info)} unknown`,
    ...counts.map(([name, count]) => `${wordsOf(name)} ${countText(count)}`),
  ];
  return element("p", { class: "muted summary" }, words.join(" · "));
}

/** `storedTwice` becomes `stored twice`. */
function wordsOf(name: string): string {
  return name.replaceAll(/(?<=[a-z])[A-Z]/gu, (letter) => ` ${letter.toLowerCase()}`);
}

function leftOutNote({ leftOut }: OperationTable): HTMLElement[] {
  if (leftOut === 0) return [];
  const note = `${countText(leftOut)} operations that went well are not drawn: there are too many.`;
  return [element("p", { class: "muted" }, note)];
}
