/** The top of the page: what came of the run, and how to repeat it. */

import { element } from "./element.ts";
import { countText, durationText } from "./quantity.ts";
import type { ReportData, Validity } from "./report-data.ts";

export function verdictHead(data: ReportData): HTMLElement {
  const { valid, summary, reasons, startedAt, durationNs } = data;
  const name = validityName(valid);
  const mark = { good: "✓", bad: "✗", open: "?" }[name];
  return element(
    "header",
    { class: `verdict ${name}`, id: "verdict" },
    element("div", { class: "mark", "aria-hidden": "true" }, mark),
    element(
      "div",
      {},
      element("h1", {}, summary),
      element("ul", {}, ...reasons.map((reason) => element("li", {}, reason))),
      element("p", { class: "muted" }, `${startedAt}, ${durationText(durationNs)}`),
    ),
  );
}

/** As a class: colours say the same as the words. */
export function validityName(valid: Validity): "bad" | "good" | "open" {
  if (valid === "unknown") return "open";
  return valid ? "good" : "bad";
}

export function tiles(data: ReportData): HTMLElement {
  const { workloads, durationNs } = data;
  const sum = (name: "fail" | "info" | "ok"): number =>
    workloads.reduce((total, { operations }) => total + operations[name], 0);
  const operations = sum("ok") + sum("fail") + sum("info");
  const anomalies = workloads.reduce((total, { anomalyCount }) => total + anomalyCount, 0);
  const faults = workloads.reduce((total, each) => total + each.faults.length, 0);
  const gaps = workloads.flatMap((workload) =>
    workload.faults.flatMap(({ gap }) => (gap === null ? [] : [gap.duringNs, gap.afterNs])),
  );
  const share = (count: number): string =>
    `${((100 * count) / Math.max(1, operations)).toFixed(1)} %`;
  return element(
    "div",
    { class: "tiles" },
    tile(countText(operations), "operations"),
    tile(countText((operations * 1e9) / Math.max(1, durationNs)), "per second"),
    tile(share(sum("ok")), "ok"),
    tile(share(sum("info")), "nobody knows"),
    tile(countText(faults), "faults"),
    tile(gaps.length === 0 ? "–" : durationText(Math.max(...gaps)), "longest without a write"),
    tile(countText(anomalies), "anomalies"),
  );
}

function tile(value: string, name: string): HTMLElement {
  return element("div", { class: "tile" }, element("b", {}, value), element("span", {}, name));
}

/** The command, with a button that copies it, and what was run on what. */
export function repetition({ command, facts }: ReportData): HTMLElement {
  const copy = element("button", { type: "button" }, "Copy");
  const code = element("code", {}, command);
  copy.addEventListener("click", () => {
    // Marked, too: a page from a disk may not be allowed to copy.
    getSelection()?.selectAllChildren(code);
    navigator.clipboard.writeText(command).then(
      () => {
        copy.textContent = "Copied";
      },
      () => {
        copy.textContent = "Marked";
      },
    );
  });
  const rows = facts.flatMap(([name, value]) => [
    element("dt", {}, name),
    element("dd", {}, value),
  ]);
  return element(
    "section",
    { class: "card", id: "repeat" },
    element("h2", {}, "Repeat it"),
    element("div", { class: "command" }, code, copy),
    element("dl", {}, ...rows),
  );
}
