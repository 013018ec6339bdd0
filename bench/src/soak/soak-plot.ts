/** A soak as a picture: a panel for each quantity, a line for each node. */

import type { NodeSample } from "./soak-node.ts";

interface Panel {
  readonly title: string;
  readonly value: (sample: NodeSample) => number;
}

const PANELS: readonly Panel[] = [
  { title: "anonymous memory, MB", value: ({ anonymousMb }) => anonymousMb },
  { title: "heap in use, MB", value: ({ heapUsedMb }) => heapUsedMb },
  { title: "disk, MB", value: ({ diskMb }) => diskMb },
  { title: "event loop, worst delay in a second, ms", value: ({ loopMaxMs }) => loopMaxMs },
  { title: "collector, in a second, ms", value: ({ gcMs }) => gcMs },
  { title: "CPU, cores", value: ({ cpuShare }) => cpuShare },
  { title: "acknowledged within, p99, ms (node 1)", value: ({ ackP99Ms }) => ackP99Ms },
];
const COLOURS = ["#1b6ca8", "#c0392b", "#27803b"];
const WIDTH = 1_000;
const PANEL_HEIGHT = 110;
const GAP = 34;
const LEFT = 60;
const POINTS_MAX = 900;

/** @param series - By node, each in order of time. */
export function plotOf(series: readonly (readonly NodeSample[])[]): string {
  const height = PANELS.length * (PANEL_HEIGHT + GAP) + GAP;
  const panels = PANELS.map((panel, at) => panelOf(panel, at, series));
  const legend = series.map((_, at) => {
    const colour = COLOURS[at % COLOURS.length];
    return `<text x="${LEFT + at * 80}" y="16" fill="${colour}">node ${at + 1}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}"`,
    ` font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    ...legend,
    ...panels,
    "</svg>\n",
  ].join("\n");
}

function panelOf(
  { title, value }: Panel,
  at: number,
  series: readonly (readonly NodeSample[])[],
): string {
  const top = GAP + at * (PANEL_HEIGHT + GAP);
  const bottom = top + PANEL_HEIGHT;
  const all = series.flat();
  const startedAt = Math.min(...bounds(all, (sample) => sample.at));
  const endedAt = Math.max(...bounds(all, (sample) => sample.at));
  const [, most] = bounds(all, value);
  const x = (time: number): number => {
    return LEFT + ((time - startedAt) / Math.max(1, endedAt - startedAt)) * (WIDTH - LEFT - 10);
  };
  const y = (amount: number): number => bottom - (amount / Math.max(1e-9, most)) * PANEL_HEIGHT;
  const lines = series.map((samples, i) => {
    const points = thinned(samples, value).map(([time, amount]) => {
      return `${x(time).toFixed(1)},${y(amount).toFixed(1)}`;
    });
    const colour = COLOURS[i % COLOURS.length];
    return `<polyline fill="none" stroke="${colour}" points="${points.join(" ")}"/>`;
  });
  const minutes = ((endedAt - startedAt) / 60_000).toFixed(1);
  return [
    `<text x="${LEFT}" y="${top - 4}">${title}</text>`,
    `<text x="${LEFT - 6}" y="${top + 10}" text-anchor="end">${most.toFixed(1)}</text>`,
    `<text x="${LEFT - 6}" y="${bottom}" text-anchor="end">0</text>`,
    `<text x="${WIDTH - 10}" y="${bottom + 14}" text-anchor="end">${minutes} min</text>`,
    `<path d="M${LEFT} ${top}V${bottom}H${WIDTH - 10}" fill="none" stroke="#999"/>`,
    ...lines,
  ].join("\n");
}

/** The worst of each stretch: a peak is what one looks for. */
function thinned(
  samples: readonly NodeSample[],
  value: (sample: NodeSample) => number,
): [number, number][] {
  const stretch = Math.ceil(samples.length / POINTS_MAX);
  const points: [number, number][] = [];
  for (let i = 0; i < samples.length; i += stretch) {
    const [, most] = bounds(samples.slice(i, i + stretch), value);
    points.push([(samples[i] as NodeSample).at, most]);
  }
  return points;
}

function bounds(
  samples: readonly NodeSample[],
  value: (sample: NodeSample) => number,
): readonly [number, number] {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const sample of samples) {
    least = Math.min(least, value(sample));
    most = Math.max(most, value(sample));
  }
  return [least, most];
}
