/** The core as a picture: how fast each case is, beside a bare loop, and what it allocates. */

import type { BarPanel, Drawing } from "../plot/chart.ts";

export interface CoreRow {
  readonly name: string;
  readonly unit: string;
  readonly perSecond: number;
  /** Half the spread of the middle half of the samples, as a share of the median. */
  readonly spread: number;
  readonly bytesEach: number;
  /** Speed as a share of the bare counterpart's, in the same run. */
  readonly ofBare: number;
}

export interface CoreResults {
  readonly timeMs: number;
  readonly rows: readonly CoreRow[];
}

const BARE = "bare: a message, a map, a queue";
const CORE = "the core";

export function drawCore({ rows }: CoreResults): Drawing {
  const units = [...new Set(rows.map(({ unit }) => unit))];
  return {
    title: "The consensus core on one thread",
    lead: "What it takes of messages and proposals, without disks and networks.",
    series: [
      { name: CORE, tone: "ours" },
      { name: BARE, tone: "bare" },
    ],
    panels: [
      ...units.map((unit): BarPanel => ({
        kind: "bars",
        title: "Speed",
        // The bare loop is ten times as fast as anything that keeps promises.
        ...(unit === "step"
          ? { unit: "steps per second, log scale", scale: "log" }
          : { unit: `${unit}es per second` }),
        groups: groupsOf(rows, unit, ({ perSecond, spread }) => ({
          value: perSecond,
          lowest: perSecond * (1 - spread),
          highest: perSecond * (1 + spread),
        })),
      })),
      ...units.map((unit): BarPanel => ({
        kind: "bars",
        title: "Allocated",
        unit: `bytes per ${unit}`,
        groups: groupsOf(rows, unit, ({ bytesEach }) => ({ value: Math.round(bytesEach) })),
      })),
    ],
    notes: ["Medians of the samples; whiskers are half of the spread of their middle half."],
  };
}

function groupsOf(
  rows: readonly CoreRow[],
  unit: string,
  barOf: (row: CoreRow) => { value: number; lowest?: number; highest?: number },
): BarPanel["groups"] {
  return rows
    .filter((row) => row.unit === unit)
    .map((row) => {
      const isBare = row.name.startsWith("bare");
      return { name: row.name, bars: [{ series: isBare ? BARE : CORE, ...barOf(row) }] };
    });
}
