/** How cost grows as a picture: of each dimension, what is left of the small case's rate. */

import type { Drawing, LinePanel, Point } from "../plot/chart.ts";
import { figure } from "../plot/figure.ts";
import { type Dimension, DIMENSIONS } from "../scale/dimension.ts";
import { type Spread, spreadOf } from "../spread.ts";
import { ratioOf, type CaseFigures, type StepResult } from "../scale/scale-figures.ts";

export interface ScaleResults {
  readonly timeMs: number;
  readonly rounds: number;
  readonly inFlight: number;
  /** What was left out, and why. */
  readonly notes: readonly string[];
  readonly steps: readonly StepResult[];
}

const STEP = "the step";
const SMALL = "the small case, in the same rounds";
const GOAL = "goal";
const MB = 1_000_000;
/** Steps over which an axis is linear would all be at its left. */
const LOG_FROM = 10;

export function drawScale({ timeMs, rounds, inFlight, notes, steps }: ScaleResults): Drawing {
  const measured = DIMENSIONS.map((dimension) => ({
    dimension,
    results: steps.filter((step) => step.dimension === dimension.name),
  })).filter(({ results }) => results.length > 0);
  return {
    title: "How cost grows",
    lead:
      `Messages of 100 B, durability quorum, ${figure(inFlight)} under way, one topic of four ` +
      "queues, three replicas, unless said otherwise; a client that publishes one by one.",
    series: [
      { name: STEP, tone: "ours" },
      { name: SMALL, tone: "bare" },
      { name: GOAL, tone: "peer" },
    ],
    columns: 2,
    panels: measured.flatMap(({ dimension, results }) => [
      ratioPanel(dimension, results),
      ratePanel(dimension, results),
    ]),
    notes: [
      `Medians of ${rounds} rounds of ${timeMs} ms, and their range. In each round a step and ` +
        "its small case are measured in turn; a ratio is of one round.",
      ...notes.map((note) => `Left out: ${note}`),
    ],
  };
}

function ratioPanel(dimension: Dimension, results: readonly StepResult[]): LinePanel {
  const { goal } = dimension;
  const points = results.flatMap((result): Point[] => {
    const ratio = ratioOf(result, ({ perSecond }) => perSecond);
    return ratio === undefined ? [] : [pointAt(result.step, ratio)];
  });
  const across = (y: number): Point[] => results.map(({ step }) => ({ x: step, y }));
  return {
    kind: "lines",
    title: dimension.title,
    unit: `rate, as a share of that at ${figure(dimension.small)}`,
    x: axisOf(dimension, results),
    lines: [
      { series: STEP, points, hasValues: true },
      { series: SMALL, points: across(1) },
      ...(goal === undefined ? [] : [{ series: GOAL, points: across(goal) }]),
    ],
  };
}

function ratePanel(dimension: Dimension, results: readonly StepResult[]): LinePanel {
  const bytesAt = (step: number): number => dimension.setupAt(step, 1).messageBytes;
  const isOfSizes = bytesAt(dimension.small) !== bytesAt(results[0]?.step ?? 0);
  const points = (
    figuresOf: (result: StepResult) => CaseFigures,
    bytesOf: (step: number) => number,
  ): Point[] =>
    results.flatMap((result): Point[] => {
      const factor = isOfSizes ? bytesOf(result.step) / MB : 1;
      const rates = figuresOf(result).windows.map(({ perSecond }) => perSecond * factor);
      const spread = spreadOf(rates);
      return spread === undefined ? [] : [pointAt(result.step, spread)];
    });
  const small = points(
    (result) => result.small,
    () => bytesAt(dimension.small),
  );
  return {
    kind: "lines",
    title: dimension.title,
    unit: isOfSizes ? "acknowledged, MB/s" : "acknowledged messages/s",
    x: axisOf(dimension, results),
    lines: [
      { series: STEP, points: points((result) => result.big, bytesAt), hasValues: true },
      { series: SMALL, points: small },
    ],
  };
}

function axisOf({ unit, small, steps }: Dimension, results: readonly StepResult[]): LinePanel["x"] {
  const ticks = results.map(({ step }) => step);
  const isWide = (steps.at(-1) ?? 0) / Math.max(1, small) >= LOG_FROM;
  return { title: unit, scale: isWide ? "log" : "linear", ticks };
}

function pointAt(x: number, { median, lowest, highest }: Spread): Point {
  return { x, y: median, lowest, highest };
}
