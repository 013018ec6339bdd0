/** What came of all cells, as a table for a terminal and for a document. */

import type { SuiteCell } from "./suite-cell.ts";
import type { LeftOut, SuitePlan } from "./suite-plan.ts";

/** Ends with the sum. */
export function matrixText(plan: SuitePlan, cells: readonly SuiteCell[]): string {
  const rows = [
    ["fault", ...plan.workloads],
    ...plan.faults.map((fault) => [
      fault,
      ...plan.workloads.map((workload) =>
        cellText(find(cells, fault, workload), plan, {
          fault,
          workload,
        }),
      ),
    ]),
  ];
  const bad = cells.filter(({ valid }) => valid !== true);
  const lines = [
    ...tableOf(rows),
    "",
    "A cell: how often the fault had an effect, and the longest time without a write meanwhile.",
    ...leftOutLines(plan.leftOut),
    ...bad.flatMap((cell) => badLines(cell)),
    "",
    sumText(plan, cells),
  ];
  return lines.join("\n");
}

/** For programs and for whoever looks at the last line alone. */
function sumText({ steps, leftOut }: SuitePlan, cells: readonly SuiteCell[]): string {
  const sum = (valueOf: (cell: SuiteCell) => number): number =>
    cells.reduce((total, cell) => total + valueOf(cell), 0);
  const count = steps.reduce((total, { workloads }) => total + workloads.length, 0);
  const ok = cells.filter(({ valid }) => valid === true).length;
  const unknown = cells.filter(({ valid }) => valid === "unknown").length;
  return (
    `${cells.length} of ${count} cells: ${ok} valid, ${cells.length - ok - unknown} not valid, ` +
    `${unknown} unknown; ${sum((cell) => cell.anomalies)} anomalies in ` +
    `${sum((cell) => cell.operations)} operations under ${sum((cell) => cell.begun)} faults; ` +
    `${leftOut.length} left out`
  );
}

function find(cells: readonly SuiteCell[], fault: string, name: string): SuiteCell | undefined {
  return cells.find((cell) => cell.fault === fault && cell.workload === name);
}

function cellText(
  cell: SuiteCell | undefined,
  { leftOut }: SuitePlan,
  { fault, workload }: { readonly fault: string; readonly workload: string },
): string {
  if (cell === undefined) {
    const isLeftOut = leftOut.some((out) => out.fault === fault && out.workload === workload);
    return isLeftOut ? "left out" : "not run";
  }
  const word = { true: "", false: "NOT VALID ", unknown: "UNKNOWN " }[String(cell.valid)] ?? "";
  return `${word}${cell.bit}x, ${(cell.gapNs / 1e9).toFixed(1)} s`;
}

function leftOutLines(leftOut: readonly LeftOut[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const { fault, workload, reason } of leftOut) {
    const key = `${fault} ${reason}`;
    byReason.set(key, [...(byReason.get(key) ?? []), workload]);
  }
  return [...byReason].map(
    ([reason, workloads]) => `Left out: ${reason}: ${workloads.join(", ")}.`,
  );
}

function badLines({ fault, workload, reasons, folder, command }: SuiteCell): string[] {
  return [
    `${workload} under ${fault}: ${reasons.join("; ") || "not decided"}`,
    `  ${folder}`,
    `  ${command}`,
  ];
}

/** As Markdown, with columns that are aligned. */
function tableOf(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, i) => text.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const [head = [], ...body] = rows;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)];
}
