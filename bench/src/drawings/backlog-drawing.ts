/** A backlog that is drained, as a picture: publishing meanwhile, and how fast it goes down. */

import type { PublishFigures } from "../broker/client-process.ts";
import type { Drawing, LinePanel } from "../plot/chart.ts";
import { figure } from "../plot/figure.ts";

export interface DrainStep {
  /** Since the drain began. */
  readonly seconds: number;
  readonly consumed: number;
}

export interface BacklogResults {
  readonly millions: number;
  /** Of the steady load. */
  readonly perSecond: number;
  readonly messageBytes: number;
  readonly windowMs: number;
  readonly filled: PublishFigures;
  readonly before: PublishFigures;
  /** Publishing, window by window, while the backlog was drained. */
  readonly during: readonly PublishFigures[];
  /** At the end of each window. */
  readonly steps: readonly DrainStep[];
}

const [P99, P50, DRAINED] = ["publishing, p99", "publishing, p50", "drained by one consumer"];
const BEGINS = { x: 0, name: "the drain begins" };

export function drawBacklog(results: BacklogResults): Drawing {
  const { millions, perSecond, messageBytes, steps } = results;
  const drained: LinePanel = {
    kind: "lines",
    title: "Drained",
    unit: "messages/s",
    x: { title: "seconds" },
    rules: [BEGINS],
    lines: [
      { series: DRAINED, points: [{ x: -windowSeconds(results) / 2, y: 0 }, ...rates(steps)] },
    ],
  };
  return {
    title: "Publishing while a backlog is drained",
    lead:
      `${figure(millions)} million messages of ${messageBytes} B wait; ` +
      `${perSecond.toLocaleString("en-US")} more are published each second.`,
    series: [{ name: P99, tone: "ours" }, { name: P50 }, { name: DRAINED }],
    panels: [answered(results), drained],
    notes: [
      `A point is the middle of a window of ${windowSeconds(results)} s. ` +
        "The last one goes on when everything is drained.",
    ],
  };
}

function answered(results: BacklogResults): LinePanel {
  const { before, during, steps } = results;
  const middles = [-windowSeconds(results) / 2, ...rates(steps).map(({ x }) => x)];
  const windows = [before, ...during];
  const pointsOf = (valueOf: (figures: PublishFigures) => number) =>
    middles.flatMap((x, i) => {
      const figures = windows[i];
      return figures === undefined ? [] : [{ x, y: valueOf(figures) }];
    });
  return {
    kind: "lines",
    title: "Acknowledged within",
    unit: "ms",
    x: { title: "seconds" },
    rules: [BEGINS],
    lines: [
      { series: P99, points: pointsOf(({ p99Ms }) => p99Ms), hasValues: windows.length <= 12 },
      { series: P50, points: pointsOf(({ p50Ms }) => p50Ms) },
    ],
  };
}

/** Of each window, at its middle. */
function rates(steps: readonly DrainStep[]): { x: number; y: number }[] {
  return steps.map(({ seconds, consumed }, i) => {
    const before = steps[i - 1] ?? { seconds: 0, consumed: 0 };
    const length = seconds - before.seconds;
    return { x: before.seconds + length / 2, y: (consumed - before.consumed) / length };
  });
}

function windowSeconds({ windowMs }: BacklogResults): number {
  return windowMs / 1_000;
}
