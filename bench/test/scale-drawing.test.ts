// Goal: the picture has a panel of ratios and one of rates for each dimension that was measured,
// with values where they are, and every text whole.
// Method: results by hand, drawn, and the drawing looked through.

import { expect, test } from "vitest";
import { drawScale, type ScaleResults } from "../src/drawings/scale-drawing.ts";
import { svgOf } from "../src/plot/svg-picture.ts";
import type { LinePanel } from "../src/plot/chart.ts";
import { DIMENSIONS } from "../src/scale/dimension.ts";
import type { CaseFigures, StepResult } from "../src/scale/scale-figures.ts";
import { troublesOf } from "./picture-texts.ts";

function figuresOf(rates: readonly number[]): CaseFigures {
  const window = { p50Ms: 40, p99Ms: 150, clientMicros: 5, brokerMicros: 2, groupsMicros: 0 };
  return {
    windows: rates.map((perSecond) => ({ ...window, perSecond, idleShare: 0 })),
    anonymousMb: [100],
    restart: undefined,
    audit: { acked: 9, repeated: 0, lost: 0, strange: 0, read: 9, wrongBlocks: 0 },
  };
}

function resultsOf(steps: readonly StepResult[], notes: readonly string[] = []): ScaleResults {
  return { timeMs: 1_000, rounds: 3, inFlight: 10_000, notes, steps };
}

function stepOf(dimension: string, step: number): StepResult {
  const [big, small] = [
    figuresOf([80_000, 60_000, 70_000]),
    figuresOf([100_000, 100_000, 100_000]),
  ];
  return { dimension, step, big, small, fillRates: [] };
}

test("what was measured has two panels, with the median and the range of the rounds", () => {
  const { panels } = drawScale(resultsOf([stepOf("queues", 100), stepOf("queues", 10_000)]));

  const [ratios, rates] = panels as readonly LinePanel[];
  expect(panels).toHaveLength(2);
  expect(ratios?.x).toMatchObject({ scale: "log", ticks: [100, 10_000] });
  expect(ratios?.lines.map(({ series, points }) => [series, points[0]])).toEqual([
    ["the step", { x: 100, y: 0.7, lowest: 0.6, highest: 0.8 }],
    ["the small case, in the same rounds", { x: 100, y: 1 }],
    ["goal", { x: 100, y: 0.6 }],
  ]);
  expect(rates?.lines[0]?.points[1]).toEqual({
    x: 10_000,
    y: 70_000,
    lowest: 60_000,
    highest: 80_000,
  });
});

test("rates of messages of different sizes are told in MB", () => {
  const { panels } = drawScale(resultsOf([stepOf("sizes", 1_000)]));

  const [, rates] = panels as readonly LinePanel[];
  expect(rates?.unit).toContain("MB/s");
  expect(rates?.lines.map(({ points }) => points[0]?.y)).toEqual([70, 10]);
});

test("all dimensions, and one step alone, are drawn with every text whole", () => {
  const all = DIMENSIONS.flatMap(({ name, steps }) => steps.map((step) => stepOf(name, step)));
  const notes = ["50,000,000 messages stored: needs 20.6 GB of disk"];

  for (const results of [resultsOf(all, notes), resultsOf([stepOf("brokers", 2)])])
    expect(troublesOf(svgOf(drawScale(results), ["a machine", "a command"]))).toEqual([]);
});
