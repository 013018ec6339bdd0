/** A soak as a picture: a panel for each quantity, a line for each node. */

import type { Drawing, LinePanel } from "../plot/chart.ts";
import { figure } from "../plot/figure.ts";
import type { NodeSample } from "../soak/soak-node.ts";
import type { Finding } from "../soak/trend.ts";

export interface SoakResults {
  readonly minutes: number;
  /** Of the peak. */
  readonly load: number;
  readonly peak: number;
  readonly perSecond: number;
  readonly verdict: readonly Finding[];
  /** By node, each in order of time. */
  readonly series: readonly (readonly NodeSample[])[];
}

interface Quantity {
  readonly title: string;
  readonly unit: string;
  readonly valueOf: (sample: NodeSample) => number;
  /** Of the node that makes the load alone. */
  readonly isOfFirst?: boolean;
}

const QUANTITIES: readonly Quantity[] = [
  { title: "Anonymous memory", unit: "MB", valueOf: ({ anonymousMb }) => anonymousMb },
  { title: "Heap in use", unit: "MB", valueOf: ({ heapUsedMb }) => heapUsedMb },
  { title: "Disk", unit: "MB", valueOf: ({ diskMb }) => diskMb },
  { title: "CPU", unit: "cores", valueOf: ({ cpuShare }) => cpuShare },
  {
    title: "Event loop, worst delay",
    unit: "ms, per second",
    valueOf: ({ loopMaxMs }) => loopMaxMs,
  },
  { title: "Garbage collector", unit: "ms, per second", valueOf: ({ gcMs }) => gcMs },
  {
    title: "Acknowledged within, p99",
    unit: "ms",
    valueOf: ({ ackP99Ms }) => ackP99Ms,
    isOfFirst: true,
  },
  {
    title: "Acknowledged within, worst",
    unit: "ms",
    valueOf: ({ ackMaxMs }) => ackMaxMs,
    isOfFirst: true,
  },
];
/** Letters; the JSON has all. */
const DETAIL_MAX = 110;
const MINUTE_MS = 60_000;

export function drawSoak({ minutes, load, perSecond, verdict, series }: SoakResults): Drawing {
  const startedAt = series.flat().reduce((least, { at }) => Math.min(least, at), Infinity);
  const bad = verdict.filter(({ isGood }) => !isGood);
  return {
    title: `A steady load for ${minutes} ${minutes === 1 ? "minute" : "minutes"}`,
    lead:
      `Three replicas, ${figure(perSecond)} appends of 1 KB per second, which is ` +
      `${figure(load * 100)} % of their peak; a reader on a follower.`,
    series: series.map((_, i) => ({ name: nameOf(i), ...(i === 0 ? { tone: "ours" } : {}) })),
    columns: 2,
    panels: QUANTITIES.map((quantity) => panelOf(quantity, series, startedAt)),
    notes: [
      "Each point is the worst second of its stretch. Node 1 makes the load.",
      ...bad.map(({ what, detail }) => `NOT OK: ${what}: ${shortened(detail)}`),
    ],
  };
}

function panelOf(
  { title, unit, valueOf, isOfFirst = false }: Quantity,
  series: readonly (readonly NodeSample[])[],
  startedAt: number,
): LinePanel {
  const lines = (isOfFirst ? series.slice(0, 1) : series).map((samples, i) => ({
    series: nameOf(i),
    points: samples.map((sample) => ({
      x: (sample.at - startedAt) / MINUTE_MS,
      y: valueOf(sample),
    })),
  }));
  return { kind: "lines", title, unit, x: { title: "minutes" }, lines };
}

function shortened(text: string): string {
  return text.length <= DETAIL_MAX ? text : `${text.slice(0, DETAIL_MAX)} ...`;
}

function nameOf(position: number): string {
  return `node ${position + 1}`;
}
