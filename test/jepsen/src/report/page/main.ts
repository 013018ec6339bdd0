/** Builds the page out of the data that came with it. */

import { element } from "./element.ts";
import { coverageTable } from "./fault-table.ts";
import type { ReportData, WorkloadData } from "./report-data.ts";
import { TimeWindow } from "./time-window.ts";
import { repetition, tiles, validityName, verdictHead } from "./verdict-head.ts";
import { formatView, parseView } from "./view-address.ts";
import { workloadView } from "./workload-view.ts";

class Report {
  readonly #data: ReportData;
  readonly #window: TimeWindow;
  readonly #place: HTMLElement = element("div", {});
  readonly #views = new Map<string, HTMLElement>();
  readonly #tabs = new Map<string, HTMLElement>();
  #shown = "";

  constructor(data: ReportData) {
    this.#data = data;
    this.#window = new TimeWindow(data.durationNs);
    for (const workload of data.workloads) this.#tabs.set(workload.name, this.#tab(workload));
  }

  build(): readonly HTMLElement[] {
    this.#openFirst();
    this.#window.onChange(() => {
      this.#noteAddress();
    });
    return [
      verdictHead(this.#data),
      tiles(this.#data),
      element("nav", { class: "tabs", role: "tablist" }, ...this.#tabs.values()),
      this.#place,
      coverageTable(this.#data.coverage),
      repetition(this.#data),
    ];
  }

  /** As the address says; else where something is wrong, which is what one wants to see. */
  #openFirst(): void {
    const { workloads } = this.#data;
    const view = parseView(
      location.hash,
      workloads.map(({ name }) => name),
    );
    const wrong = workloads.find(({ valid }) => valid !== true) ?? workloads[0];
    const first = workloads.find(({ name }) => name === view?.workload) ?? wrong;
    if (first === undefined) return;
    this.#open(first);
    const { fromNs, toNs } = view ?? {};
    if (fromNs !== undefined && toNs !== undefined) this.#window.show(fromNs, toNs);
  }

  #open(workload: WorkloadData): void {
    const { phases } = this.#data;
    const { name } = workload;
    const view = this.#views.get(name) ?? workloadView(workload, { phases, window: this.#window });
    this.#views.set(name, view);
    this.#place.replaceChildren(view);
    this.#shown = name;
    for (const [other, tab] of this.#tabs)
      tab.setAttribute("aria-selected", String(other === name));
  }

  #tab(workload: WorkloadData): HTMLElement {
    const { name } = workload;
    const tab = element("button", { type: "button", role: "tab" }, name, badge(workload));
    tab.addEventListener("click", () => {
      this.#open(workload);
      this.#noteAddress();
    });
    return tab;
  }

  #noteAddress(): void {
    const { beginNs: fromNs, endNs: toNs, lengthNs, wholeNs } = this.#window;
    const range = lengthNs < wholeNs ? { fromNs, toNs } : {};
    history.replaceState(null, "", formatView({ workload: this.#shown, ...range }));
  }
}

function badge({ valid, anomalyCount }: WorkloadData): HTMLElement {
  const name = validityName(valid);
  const words = { good: "ok", bad: String(anomalyCount), open: "unknown" }[name];
  return element("span", { class: `badge ${name}` }, words);
}

const data = JSON.parse(document.querySelector("#data")?.textContent ?? "") as ReportData;
document.querySelector("#report")?.append(...new Report(data).build());
document.body.dataset["drawn"] = "yes";
