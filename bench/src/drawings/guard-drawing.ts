/** What the guard measured, beside what was recorded. */

import type { GuardFigure, Verdict } from "../guard/guard-verdict.ts";
import type { RatioRecord } from "../guard/ratio-record.ts";
import type { Drawing } from "../plot/chart.ts";

export interface GuardRow {
  readonly name: string;
  /** Of one measurement, or of each that was taken again. */
  readonly figures: readonly GuardFigure[];
  readonly recorded?: RatioRecord | undefined;
  readonly verdict: Verdict;
}

export interface GuardResults {
  readonly roundMs: number;
  readonly rows: readonly GuardRow[];
}

const NOW = "now";
const RECORDED = "recorded";

export function drawGuard({ rows, roundMs }: GuardResults): Drawing {
  return {
    title: "Speed beside bare counterparts",
    lead: "It fails below half of what was recorded.",
    series: [
      { name: NOW, tone: "ours" },
      { name: RECORDED, tone: "bare" },
    ],
    panels: [
      {
        kind: "bars",
        title: "Share of the bare counterpart's speed",
        unit: "ratio, log scale",
        scale: "log",
        groups: rows.map(({ name, figures, recorded }) => {
          const ratios = figures.map(({ ratio }) => ratio);
          const [lowest, highest] = [Math.min(...ratios), Math.max(...ratios)];
          const bars = [{ series: NOW, value: highest, lowest, highest }];
          if (recorded !== undefined) bars.push({ series: RECORDED, ...steady(recorded.ratio) });
          return { name, bars };
        }),
      },
    ],
    notes: [
      `Medians of alternating rounds of ${roundMs} ms. Of what was measured again the best ` +
        "counts; whiskers show the others.",
    ],
  };
}

function steady(value: number): { value: number; lowest: number; highest: number } {
  return { value, lowest: value, highest: value };
}
