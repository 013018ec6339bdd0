/** How long no write was acknowledged because of each fault, and whether faults did anything. */

import { element, table } from "./element.ts";
import { durationText, momentText } from "./quantity.ts";
import type { CoverageData, FaultData, WorkloadData } from "./report-data.ts";

/** @param show - Brings a fault into view. */
export function gapTable(
  { faults }: WorkloadData,
  show: (beginNs: number, endNs: number) => void,
): HTMLElement {
  const longest = Math.max(1, ...faults.map(({ gap }) => gap?.duringNs ?? 0));
  const rows = faults.map((fault) => {
    const { name, beginNs, endNs, nodes, words, evidence, gap } = fault;
    const button = element("button", { type: "button", class: "link" }, name);
    button.addEventListener("click", () => {
      show(beginNs, endNs);
    });
    return [
      momentText(beginNs, 1e7),
      button,
      durationText(endNs - beginNs),
      nodes,
      gapCell(gap?.duringNs, longest),
      gap === null ? "" : durationText(gap.afterNs),
      element(
        "span",
        { class: "muted" },
        [words, evidence].filter((text) => text !== "").join("; "),
      ),
    ];
  });
  const titles = [
    "from",
    "fault",
    "lasted",
    "nodes",
    "no write for",
    "afterwards",
    "what was done",
  ];
  return element(
    "section",
    { class: "card" },
    element("h2", {}, "Faults, and how long no write was acknowledged"),
    faults.length === 0
      ? element("p", { class: "muted" }, "There were none.")
      : table(titles, rows, new Set([0, 2, 5])),
    worstByFault(faults),
  );
}

function gapCell(ns: number | undefined, longest: number): HTMLElement {
  if (ns === undefined) return element("span", {});
  const bar = element("i", { style: `width:${Math.max(1, (90 * ns) / longest).toFixed(1)}px` });
  return element("span", { class: "gap" }, bar, durationText(ns));
}

/** Worst first, in a sentence. */
function worstByFault(faults: readonly FaultData[]): HTMLElement {
  const worst = new Map<string, number>();
  for (const { name, gap } of faults)
    if (gap !== null) worst.set(name, Math.max(worst.get(name) ?? 0, gap.duringNs));
  const words = [...worst]
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, ns]) => `${name} ${durationText(ns)}`);
  return element("p", { class: "muted" }, words.length === 0 ? "" : `Longest: ${words.join(", ")}`);
}

/** A row for each fault: how often it had an effect of how often it was begun, by workload. */
export function coverageTable(coverage: readonly CoverageData[]): HTMLElement {
  const workloads = [...new Set(coverage.map(({ workload }) => workload))];
  const faults = [...new Set(coverage.map(({ fault }) => fault))];
  const rows = faults.map((fault) => {
    const records = coverage.filter((each) => each.fault === fault);
    const cells = workloads.map((name) =>
      coverageCell(records.find(({ workload }) => workload === name)),
    );
    const seen = records.find(({ bit }) => bit > 0)?.evidence ?? "";
    return [fault, ...cells, element("span", { class: "muted" }, seen)];
  });
  return element(
    "section",
    { class: "card", id: "coverage" },
    element("h2", {}, "Coverage"),
    element(
      "p",
      { class: "muted" },
      "How often each fault had an effect, of how often it was there. ",
      "A fault that never had one has tested nothing.",
    ),
    coverage.length === 0
      ? element("p", { class: "muted" }, "No faults were asked for.")
      : table(["fault", ...workloads, "seen"], rows, new Set()),
  );
}

function coverageCell(record: CoverageData | undefined): HTMLElement {
  if (record === undefined) return element("span", { class: "muted" }, "does not suit it");
  const { begun, bit, needed } = record;
  if (begun === 0) return element("span", { class: "muted" }, "not drawn");
  return element(
    "span",
    { class: `badge ${bit >= needed ? "good" : "bad"}` },
    `${bit} of ${begun}`,
  );
}
