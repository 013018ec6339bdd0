/** Colours and sizes of all pictures. */

import { unreachable } from "@quorumlog/std";
import type { Drawing, Panel, Series, Tone } from "./chart.ts";

export const PICTURE_WIDTH = 1_000;
export const MARGIN = 28;
/** Of text; GitHub shows a picture about as wide as it is, so that 12 stays readable. */
export const SIZES = { title: 24, lead: 15, panel: 15, label: 13, figure: 12.5, tick: 12 } as const;

export const INK = "#1f2328";
export const SOFT_INK = "#59636e";
export const GRID = "#e4e8ec";
export const AXIS = "#aab2bb";
export const PAPER = "#ffffff";

const FIRM: Readonly<Record<Exclude<Tone, "plain">, string>> = {
  ours: "#0072b2",
  bare: "#b3bac2",
  peer: "#8a949e",
};
/** Okabe and Ito: told apart by the colour-blind, too. Blue is `ours`. */
const PALETTE = ["#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6a51a3"];

/** The series of a drawing, in the order of its legend, each with its colour. */
export function coloursOf(drawing: Drawing): ReadonlyMap<string, string> {
  const named = drawing.series ?? [];
  const known = new Set(named.map(({ name }) => name));
  const others = [...new Set(drawing.panels.flatMap(seriesOf))].filter((name) => !known.has(name));
  // Where nothing is said the first one is ours.
  const isFirstOurs = named.length === 0;
  const series: Series[] = [...named, ...others.map((name) => ({ name }))];
  let next = 0;
  return new Map(
    series.map(({ name, tone = "plain" }, position): [string, string] => {
      if (tone !== "plain") return [name, FIRM[tone]];
      if (isFirstOurs && position === 0) return [name, FIRM.ours];
      const colour = PALETTE[next % PALETTE.length] ?? SOFT_INK;
      next += 1;
      return [name, colour];
    }),
  );
}

/** Names of what is drawn. */
export function seriesOf(panel: Panel): string[] {
  switch (panel.kind) {
    case "bars":
      return panel.groups.flatMap(({ bars }) => bars.map(({ series }) => series));
    case "lines":
      return panel.lines.map(({ series }) => series);
    case "dots":
      return panel.rows.map(({ series }) => series);
    default:
      return unreachable(panel);
  }
}
