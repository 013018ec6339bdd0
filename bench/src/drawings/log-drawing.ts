/** The log on a disk as a picture: appends beside a bare loop, and opening a long log. */

import type { AppendRow } from "../log/append-cases.ts";
import type { RoundResult } from "../log/append-round.ts";
import type { OpenRow } from "../log/open-log.ts";
import type { BarPanel, Drawing } from "../plot/chart.ts";
import { measuredBar } from "./measured.ts";

export interface LogResults {
  readonly rounds: number;
  readonly appends: readonly AppendRow[];
  readonly open?: OpenRow | undefined;
}

interface Quantity {
  readonly title: string;
  readonly unit: string;
  readonly valueOf: (result: RoundResult) => number;
}

const LOG = "the log";
const BARE = "bare loop of the same calls";
const QUANTITIES: readonly Quantity[] = [
  { title: "Appended", unit: "MB/s", valueOf: ({ megabytesPerSecond }) => megabytesPerSecond },
  {
    title: "Appended",
    unit: "batches/s, log scale",
    valueOf: ({ batchesPerSecond }) => batchesPerSecond,
  },
  { title: "On the disk within, p50", unit: "ms, log scale", valueOf: ({ p50Ms }) => p50Ms },
  { title: "On the disk within, p99", unit: "ms, log scale", valueOf: ({ p99Ms }) => p99Ms },
];

export function drawLog({ appends, open }: LogResults): Drawing {
  return {
    title: "The log on a disk",
    lead: "Batches appended by one process, each synced before it counts.",
    series: [
      { name: LOG, tone: "ours" },
      { name: BARE, tone: "bare" },
    ],
    columns: 2,
    panels: [
      ...(appends.length === 0 ? [] : QUANTITIES.map((quantity) => appended(quantity, appends))),
      ...(open === undefined ? [] : [opened(open)]),
    ],
    notes: ["4 KB x 8: batches of 4 KB, eight of them under way. Medians, lowest and highest."],
  };
}

function appended({ title, unit, valueOf }: Quantity, rows: readonly AppendRow[]): BarPanel {
  return {
    kind: "bars",
    title,
    unit,
    scale: unit.endsWith("log scale") ? "log" : "linear",
    groups: rows.map(({ name, rounds }) => ({
      name: name.trim(),
      bars: [
        measuredBar(LOG, rounds.log.map(valueOf)),
        measuredBar(BARE, rounds.bare.map(valueOf)),
      ],
    })),
  };
}

function opened({ gigabytes, segmentCount, medianMs, highMs }: OpenRow): BarPanel {
  const bar = { series: LOG, value: medianMs, lowest: medianMs, highest: highMs };
  const name = `${gigabytes} GB, ${segmentCount} segments`;
  return { kind: "bars", title: "Opened within", unit: "ms", groups: [{ name, bars: [bar] }] };
}
