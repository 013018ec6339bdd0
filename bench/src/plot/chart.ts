/**
 * What a picture shows, as data: panels of bars, of lines or of dots under one title.
 *
 * A `Drawing` knows nothing of places, colours and fonts; `svgOf` (svg-picture.ts) does. Text is
 * Latin: the font of the pictures has no arrows and no Greek but the sign for micro.
 */

export interface Drawing {
  readonly title: string;
  /** A sentence on what is compared, and under which load. */
  readonly lead?: string;
  /** Names as bars and lines have them, in the order of the legend; others follow these. */
  readonly series?: readonly Series[];
  /** Without one where labels of rows say it all; default: if there are several series. */
  readonly hasLegend?: boolean;
  readonly panels: readonly Panel[];
  /** Panels beside each other; default 1. */
  readonly columns?: number;
  /** Below everything, a paragraph each. */
  readonly notes?: readonly string[];
}

/** `ours` stands out; `bare` is what nobody can be faster than; `peer` is what is beside us. */
export type Tone = "ours" | "bare" | "peer" | "plain";

export interface Series {
  readonly name: string;
  /** Default `plain`: the next colour of the palette. */
  readonly tone?: Tone;
}

export type Panel = BarPanel | LinePanel | DotPanel;

export type ScaleKind = "linear" | "log";

export interface BarPanel {
  readonly kind: "bars";
  readonly title: string;
  /** Of the values, as in `acked/s`. */
  readonly unit: string;
  /** Default `horizontal`, which bars are, too, if names of groups do not fit side by side. */
  readonly direction?: "horizontal" | "vertical";
  /** Default `linear`, which starts at zero. */
  readonly scale?: ScaleKind;
  readonly groups: readonly BarGroup[];
}

export interface BarGroup {
  readonly name: string;
  readonly bars: readonly Bar[];
}

export interface Bar {
  readonly series: string;
  /** What is not finite is shown as not measured. */
  readonly value: number;
  /** Ends of the whisker; it is left out where both are the value. */
  readonly lowest?: number;
  readonly highest?: number;
}

export interface LinePanel {
  readonly kind: "lines";
  readonly title: string;
  readonly unit: string;
  readonly x: Axis;
  /** Default `linear`, which starts at zero. */
  readonly scale?: ScaleKind;
  readonly lines: readonly Line[];
  /** Vertical lines at places of the x axis. */
  readonly rules?: readonly Rule[];
}

export interface Axis {
  /** With its unit. */
  readonly title: string;
  readonly scale?: ScaleKind;
  /** Where something was measured; default: round numbers. */
  readonly ticks?: readonly number[];
}

export interface Line {
  readonly series: string;
  /** In order of `x`; those that are not finite are left out. */
  readonly points: readonly Point[];
  /** Whether each value is printed at its point. */
  readonly hasValues?: boolean;
}

export interface Point {
  readonly x: number;
  readonly y: number;
  readonly lowest?: number;
  readonly highest?: number;
}

export interface Rule {
  readonly x: number;
  readonly name: string;
}

/** Single measurements, each a dot; a row's median and worst are printed at its end. */
export interface DotPanel {
  readonly kind: "dots";
  readonly title: string;
  readonly unit: string;
  readonly scale?: ScaleKind;
  readonly rows: readonly DotRow[];
}

export interface DotRow {
  readonly name: string;
  readonly series: string;
  readonly values: readonly number[];
}
