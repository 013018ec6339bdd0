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

/** A fault that never had an effect has tested nothing. */
export function coverageTable(coverage: readonly CoverageData[]): HTMLElement {
  const rows = coverage.map(({ workload, fault, begun, bit, evidence }) => [
    workload,
    fault,
    String(begun),
    String(bit),
    bit > 0
      ? element("span", { class: "badge good" }, "had an effect")
      : element("span", { class: "badge bad" }, "never had an effect"),
    element("span", { class: "muted" }, evidence),
  ]);
  const titles = ["workload", "fault", "begun", "with effect", "", "seen"];
  return element(
    "section",
    { class: "card", id: "coverage" },
    element("h2", {}, "Coverage"),
    coverage.length === 0
      ? element("p", { class: "muted" }, "No faults were asked for.")
      : table(titles, rows, new Set([2, 3])),
  );
}
