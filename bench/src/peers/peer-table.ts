/** Medians with their spread, system by system, and how far the first of them is ahead. */

import { spreadOf } from "../spread.ts";
import type { Outcome, Workload } from "./workload.ts";

export interface PeerResult {
  readonly system: string;
  readonly workload: string;
  readonly round: number;
  readonly outcome: Outcome;
}

/** What a cluster said of itself when it ran. */
export interface PeerCard {
  readonly version: string;
  readonly durability: string;
  /** Not a system: it is only there where it has a figure. */
  readonly isBare?: true;
}

const NAME_WIDTH = 14;
const CELL_WIDTH = 13;
const HEADS = ["median", "lowest", "highest"];

/**
 * How many times better `ours` is than `theirs`; below 1 it is worse. Medians are those of the
 * rounds' ratios, as what is slow at one hour is slow for both.
 */
export function aheadBy(
  workload: Pick<Workload, "isMoreBetter" | "judgedBy">,
  ours: readonly PeerResult[],
  theirs: readonly PeerResult[],
): number | undefined {
  const { isMoreBetter, judgedBy } = workload;
  const ratio = (a: number, b: number): number => (isMoreBetter ? a / b : b / a);
  if (judgedBy === "worst") {
    const [a, b] = [ours, theirs].map((results) => spreadOf(valuesOf(results)));
    if (a === undefined || b === undefined) return undefined;
    return isMoreBetter ? ratio(a.lowest, b.lowest) : ratio(a.highest, b.highest);
  }
  const ratios: number[] = [];
  for (const mine of ours) {
    const other = theirs.find(({ round }) => round === mine.round);
    const [a, b] = [mine, other].map((one) => spreadOf(one?.outcome.values ?? [])?.median);
    if (a !== undefined && b !== undefined) ratios.push(ratio(a, b));
  }
  return spreadOf(ratios)?.median;
}

/** @returns lines; a blank one is before each workload. */
export function tableOf(
  workloads: readonly Workload[],
  cards: ReadonlyMap<string, PeerCard>,
  results: readonly PeerResult[],
): string[] {
  const lines: string[] = [];
  const [first = ""] = cards.keys();
  for (const workload of workloads) {
    const mine = results.filter((result) => result.workload === workload.name);
    if (mine.length === 0) continue;
    const besides = [...new Set(mine.flatMap(({ outcome }) => Object.keys(outcome.beside)))];
    const heads = [...HEADS, ...besides, `${first} is`].map((head) => head.padStart(CELL_WIDTH));
    lines.push(
      "",
      `${workload.name}, ${workload.unit}`,
      `${" ".repeat(NAME_WIDTH)}${heads.join("")}`,
    );
    for (const [system, card] of cards) {
      const theirs = mine.filter((result) => result.system === system);
      if (card.isBare === true && theirs.length === 0) continue;
      const ours = mine.filter((result) => result.system === first);
      const ahead = system === first ? undefined : aheadBy(workload, ours, theirs);
      lines.push(...rowsOf(system, { card, results: theirs, besides, ahead }));
    }
  }
  return lines;
}

function rowsOf(
  system: string,
  row: {
    readonly card: PeerCard;
    readonly results: readonly PeerResult[];
    readonly besides: readonly string[];
    readonly ahead: number | undefined;
  },
): string[] {
  const { card, results, besides, ahead } = row;
  const spread = spreadOf(valuesOf(results));
  const name = system.padEnd(NAME_WIDTH);
  if (spread === undefined) return [`${name}${"not measured".padStart(CELL_WIDTH)}`];
  const of = (beside: string): number =>
    spreadOf(results.flatMap(({ outcome }) => outcome.beside[beside] ?? []))?.median ?? Number.NaN;
  const figures = [spread.median, spread.lowest, spread.highest, ...besides.map(of)];
  const cells = figures.map((figure) => figureOf(figure).padStart(CELL_WIDTH));
  const times = (ahead === undefined ? "" : `${ahead.toFixed(2)} x`).padStart(CELL_WIDTH);
  const faults = results.flatMap(({ round, outcome }) =>
    outcome.faults.map((fault) => `  FAILED in round ${round + 1}: ${fault}`),
  );
  return [`${name}${cells.join("")}${times}  ${card.durability}`, ...faults];
}

/** Three digits or more that count; `-` of what was not measured. */
export function figureOf(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

function valuesOf(results: readonly PeerResult[]): number[] {
  return results.flatMap(({ outcome }) => outcome.values);
}
