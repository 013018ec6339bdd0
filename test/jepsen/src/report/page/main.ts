/** Builds the page out of the data that came with it. */

import { element } from "./element.ts";
import { coverageTable } from "./fault-table.ts";
import type { ReportData, WorkloadData } from "./report-data.ts";
import { TimeWindow } from "./time-window.ts";
import { repetition, tiles, validityName, verdictHead } from "./verdict-head.ts";
import { workloadView } from "./workload-view.ts";

function build(data: ReportData): readonly HTMLElement[] {
  const place = element("div", {});
  const window = new TimeWindow(data.durationNs);
  const views = new Map<string, HTMLElement>();
  const tabs = new Map<string, HTMLElement>();
  const open = (workload: WorkloadData): void => {
    const view = views.get(workload.name) ?? workloadView(workload, { ...data, window });
    views.set(workload.name, view);
    place.replaceChildren(view);
    for (const [name, tab] of tabs)
      tab.setAttribute("aria-selected", String(name === workload.name));
  };
  for (const workload of data.workloads) {
    const tab = element("button", { type: "button", role: "tab" }, workload.name, badge(workload));
    tab.addEventListener("click", () => {
      open(workload);
    });
    tabs.set(workload.name, tab);
  }
  // Whoever opens the page of a run that went wrong wants to see where.
  const first = data.workloads.find(({ valid }) => valid !== true) ?? data.workloads[0];
  if (first !== undefined) open(first);
  return [
    verdictHead(data),
    tiles(data),
    element("nav", { class: "tabs", role: "tablist" }, ...tabs.values()),
    place,
    coverageTable(data.coverage),
    repetition(data),
  ];
}

function badge({ valid, anomalyCount }: WorkloadData): HTMLElement {
  const name = validityName(valid);
  const words = { good: "ok", bad: String(anomalyCount), open: "unknown" }[name];
  return element("span", { class: `badge ${name}` }, words);
}

const data = JSON.parse(document.querySelector("#data")?.textContent ?? "") as ReportData;
document.querySelector("#report")?.append(...build(data));
document.body.dataset["drawn"] = "yes";
