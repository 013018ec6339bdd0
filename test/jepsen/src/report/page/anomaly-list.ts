/** What no correct system can have shown, with the operations that show it. */

import { element, table } from "./element.ts";
import { countText, momentText } from "./quantity.ts";
import type { AnomalyData, WorkloadData } from "./report-data.ts";

/** @param show - Of operations between two moments: brings them into view. */
export function anomalyList(
  workload: WorkloadData,
  show: (beginNs: number, endNs: number) => void,
): HTMLElement | undefined {
  const { anomalies, anomalyCount, unknown } = workload;
  if (anomalyCount === 0 && unknown.length === 0) return undefined;
  const more = anomalyCount - anomalies.length;
  return element(
    "section",
    { class: "card anomalies" },
    element("h2", {}, `Anomalies: ${countText(anomalyCount)}`),
    ...unknown.map((why) => element("p", { class: "undecided" }, `Not decided: ${why}`)),
    ...anomalies.map((anomaly, i) => anomalyItem(anomaly, { isOpen: i < 3, show })),
    ...(more > 0 ? [element("p", { class: "muted" }, `and ${countText(more)} more`)] : []),
  );
}

function anomalyItem(
  { kind, message, operations }: AnomalyData,
  {
    isOpen,
    show,
  }: {
    readonly isOpen: boolean;
    readonly show: (beginNs: number, endNs: number) => void;
  },
): HTMLElement {
  const item = element("details", isOpen ? { open: "" } : {});
  item.append(element("summary", {}, element("b", {}, kind), ` ${message}`));
  if (operations.length === 0) return item;
  const button = element("button", { type: "button" }, "Show in the charts");
  button.addEventListener("click", () => {
    const begins = operations.map(({ beginNs }) => beginNs);
    const ends = operations.map(({ beginNs, endNs }) => endNs ?? beginNs);
    show(Math.min(...begins), Math.max(...ends));
  });
  const rows = operations.map((each) => [
    String(each.event),
    momentText(each.beginNs, 1e3),
    each.endNs === null ? "never" : momentText(each.endNs, 1e3),
    each.process,
    each.action,
    each.outcome,
    element("code", {}, each.asked),
    element("code", {}, each.told),
  ]);
  const titles = ["event", "from", "to", "process", "what", "outcome", "asked", "told"];
  item.append(button, table(titles, rows, new Set([0, 1, 2, 3])));
  return item;
}
