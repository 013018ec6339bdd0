/** How every bench ends: what it found as JSON, and as a picture, all in `out/bench`. */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Drawing } from "../plot/chart.ts";
import { pngOf } from "../plot/png.ts";
import { svgOf } from "../plot/svg-picture.ts";
import { linesOf, type Provenance, provenanceOf } from "./provenance.ts";

/** What `out/bench/NAME.json` holds. */
export interface Outcome<Results> extends Provenance {
  /** Whose results these are: which picture they make. */
  readonly bench: string;
  readonly results: Results;
}

export interface Figures<Results> {
  readonly bench: string;
  /** Of the files, without their endings; default: that of the bench. */
  readonly name?: string;
  /** Must be the same after a way through JSON, in which `NaN` is `null`. */
  readonly results: Results;
  /** Default `out/bench`. */
  readonly folder?: string;
}

export interface Findings<Results> extends Figures<Results> {
  readonly draw: (results: Results) => Drawing;
}

/** Letters. */
const READABLE_MAX = 1_000_000;

export const OUTCOME_FOLDER: string = join("out", "bench");

/**
 * Writes `NAME.json`, `NAME.svg` and `NAME.png`, and says so. The figures are on the disk before
 * anything is drawn.
 */
export async function writeOutcome<Results>(findings: Findings<Results>): Promise<void> {
  const file = writeFigures(findings);
  console.log(`\nwritten to ${file}`);
  // From what was written: what is redrawn from the file later is the same picture.
  await drawOutcome(file, (read) => findings.draw(read as Results));
}

/**
 * Writes `NAME.json` and no picture: what there is so far of a bench that takes long. Whoever reads
 * it meanwhile, or after a crash, has the figures of one write as a whole.
 *
 * @returns its path.
 */
export function writeFigures<Results>(figures: Figures<Results>): string {
  const { bench, name = bench, results, folder = OUTCOME_FOLDER } = figures;
  mkdirSync(folder, { recursive: true });
  const provenance = provenanceOf(folder, process.argv.slice(2));
  const outcome: Outcome<Results> = { bench, ...provenance, results };
  const file = join(folder, `${name}.json`);
  const unfinished = `${file}.unfinished`;
  writeFileSync(unfinished, jsonOf(outcome));
  renameSync(unfinished, file);
  return file;
}

/** Indented, unless it is too long to be read anyway: a soak has a sample for each second. */
function jsonOf(outcome: Outcome<unknown>): string {
  const dense = JSON.stringify(outcome);
  return `${dense.length > READABLE_MAX ? dense : JSON.stringify(outcome, undefined, 2)}\n`;
}

/**
 * Draws what a file of an outcome holds, beside it, as SVG and PNG, and says so.
 *
 * @throws if it is no such file.
 */
export async function drawOutcome(
  file: string,
  draw: (results: unknown, bench: string) => Drawing,
): Promise<void> {
  const outcome = JSON.parse(readFileSync(file, "utf8")) as Partial<Outcome<unknown>>;
  const { bench, results, machine } = outcome;
  if (bench === undefined || results === undefined || machine === undefined)
    throw new Error(`${resolve(file)} is no outcome of a bench`);
  const svg = svgOf(draw(results, bench), linesOf(outcome as Outcome<unknown>));
  const stem = file.replace(/\.json$/, "");
  writeFileSync(`${stem}.svg`, svg);
  writeFileSync(`${stem}.png`, await pngOf(svg));
  console.log(`drawn as ${stem}.svg and .png`);
}
