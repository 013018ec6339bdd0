/** The table of a dimension: each step beside the small case that was measured with it. */

import type { Dimension } from "./dimension.ts";
import { spreadOf } from "../spread.ts";
import { type CaseFigures, faultsOf, ratioOf, type StepResult } from "./scale-figures.ts";

const HEADS: readonly (readonly [string, number])[] = [
  ["", 12],
  ["acked/s", 10],
  ["small/s", 10],
  ["ratio", 7],
  ["of rounds", 12],
  ["p50 ms (small)", 16],
  ["p99 ms (small)", 16],
  ["us client", 14],
  ["us brokers", 14],
  ["anon MB", 13],
  ["start s", 14],
];
/** Of one core: as much of the idle cluster is worth a word. */
const IDLE_SHARE = 0.02;
/** From there on numbers have no decimals, or one. */
const HUNDRED = 100;
const TEN = 10;

/** @returns lines. */
export function tableOf(dimension: Dimension, results: readonly StepResult[]): string[] {
  const { unit, small, goal } = dimension;
  const lines = [
    `${unit}, beside ${grouped(small)}`,
    HEADS.map(([head, width]) => head.padStart(width)).join(""),
  ];
  for (const result of results) {
    lines.push(rowOf(result));
    lines.push(...wordsOf(result));
  }
  const last = results.at(-1);
  if (goal === undefined || last === undefined) return lines;
  if (last.step !== dimension.steps.at(-1)) return lines;
  const ratio = ratioOf(last, ({ perSecond }) => perSecond)?.median ?? Number.NaN;
  const verdict = ratio >= goal ? "reached" : "MISSED";
  lines.push(`goal at ${grouped(last.step)}: ${goal} of the small case's rate: ${verdict}`);
  return lines;
}

function rowOf(result: StepResult): string {
  const { step, big, small } = result;
  const ratio = ratioOf(result, ({ perSecond }) => perSecond);
  const pair = (of: (figures: CaseFigures) => number | undefined): string =>
    `${short(of(big))} (${short(of(small))})`;
  const median = (of: (window: CaseFigures["windows"][number]) => number) =>
    pair(({ windows }) => spreadOf(windows.map(of))?.median);
  const rate = ({ windows }: CaseFigures): string =>
    grouped(spreadOf(windows.map(({ perSecond }) => perSecond))?.median ?? Number.NaN);
  const cells = [
    grouped(step),
    rate(big),
    rate(small),
    ratio === undefined ? "-" : ratio.median.toFixed(2),
    ratio === undefined ? "-" : `${ratio.lowest.toFixed(2)}-${ratio.highest.toFixed(2)}`,
    median(({ p50Ms }) => p50Ms),
    median(({ p99Ms }) => p99Ms),
    median(({ clientMicros }) => clientMicros),
    median(({ brokerMicros }) => brokerMicros),
    pair(({ anonymousMb }) => anonymousMb.reduce((sum, mb) => sum + mb, 0)),
    big.restart === undefined ? "-" : pair(({ restart }) => restart?.publishSeconds),
  ];
  return cells.map((cell, at) => cell.padStart(HEADS[at]?.[1] ?? 0)).join("");
}

/** What has to be known beside the figures. */
function wordsOf({ big, small }: StepResult): string[] {
  const words: string[] = [];
  const groups = spreadOf(big.windows.map(({ groupsMicros }) => groupsMicros))?.median ?? 0;
  if (groups > 0) words.push(`consumer groups: ${short(groups)} us of their own per message`);
  const idle = [...big.windows, ...small.windows].map(({ idleShare }) => idleShare);
  const highest = spreadOf(idle)?.highest ?? 0;
  if (highest >= IDLE_SHARE)
    words.push(`the idle cluster had up to ${(highest * HUNDRED).toFixed(0)} % of a core`);
  for (const [name, figures] of [["", big] as const, ["of the small case, ", small] as const])
    words.push(...faultsOf(figures).map((fault) => `FAILED: ${name}${fault}`));
  return words.map((each) => `${"".padStart(HEADS[0]?.[1] ?? 0)}  ${each}`);
}

function grouped(value: number): string {
  return Number.isNaN(value) ? "-" : Math.round(value).toLocaleString("en-US");
}

function short(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "-";
  if (value >= HUNDRED) return value.toFixed(0);
  return value.toFixed(value >= TEN ? 1 : 2);
}
