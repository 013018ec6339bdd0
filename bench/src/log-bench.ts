/** `npm run bench -- log`: appends, beside a bare loop of the same calls; and opening a log. */

import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { drawLog } from "./drawings/log-drawing.ts";
import { appendCases, type AppendRow, measureAppends } from "./log/append-cases.ts";
import type { RoundResult } from "./log/append-round.ts";
import { measureOpen, type OpenRow } from "./log/open-log.ts";
import { OUTCOME_FOLDER, writeOutcome } from "./outcome/outcome.ts";

const TMPFS = 0x01021994;
/** The log, its zeros, and what else the disk is needed for. */
const SPARE_GIGABYTES = 2;

export async function runLogBench(options: {
  /** 0 for none. */
  readonly rounds: number;
  /** 0 for none. */
  readonly openGigabytes: number;
}): Promise<void> {
  const { rounds, openGigabytes } = options;
  const folder = OUTCOME_FOLDER;
  mkdirSync(folder, { recursive: true });
  demandDisk(folder, openGigabytes);
  const directory = temporaryDirectory(folder);
  const cases = rounds === 0 ? [] : appendCases();
  const rows: AppendRow[] = [];
  for (const [position, entry] of cases.entries()) {
    const onRound = (round: number): void => {
      const at = `[${position + 1}/${cases.length}] batches of ${entry.name.trim()}`;
      showProgress(`${at}, round ${round + 1}/${rounds}`);
    };
    // Once unmeasured, for the compiler; one case is enough for it.
    if (position === 0) await measureAppends(entry, { directory, rounds: 1, onRound });
    rows.push(await measureAppends(entry, { directory, rounds, onRound }));
  }
  const onGigabyte = (done: number): void => {
    showProgress(`a log to be opened: ${done}/${openGigabytes} GB`);
  };
  const open =
    openGigabytes === 0
      ? undefined
      : await measureOpen({ directory, gigabytes: openGigabytes, onGigabyte });
  showProgress("");
  if (rows.length > 0) printAppends(rows);
  if (open !== undefined) printOpen(open);
  const results = { rounds, appends: rows, open };
  await writeOutcome({ bench: "log", results, draw: drawLog });
}

/** A sync to memory says nothing; a disk that fills up says it too late. */
function demandDisk(folder: string, openGigabytes: number): void {
  const { type, bavail, bsize } = statfsSync(folder);
  if (type === TMPFS) throw new Error(`${folder} is in memory: run it from a directory on a disk`);
  const free = (bavail * bsize) / 2 ** 30;
  const needed = openGigabytes + SPARE_GIGABYTES;
  if (free < needed)
    throw new Error(`${folder} has ${free.toFixed(1)} GB of room, and this takes ${needed}`);
}

/** A directory that is gone when the process ends, however it does. */
function temporaryDirectory(folder: string): string {
  const directory = mkdtempSync(join(folder, "log-"));
  process.on("exit", () => {
    rmSync(directory, { recursive: true, force: true });
  });
  // Not once: npm passes on a signal that the terminal sent us already.
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => process.exit(128 + constants.signals[signal]));
  return directory;
}

/** One line that is written over, where somebody may be looking. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${text.padEnd(90)}\r`);
}

function printAppends(rows: readonly AppendRow[]): void {
  const width = Math.max(...rows.map((row) => row.name.length)) + 6;
  const heads = ["MB/s", "batches/s", "p50 ms", "p99 ms", "CPU us", "of bare"];
  console.log(`${"".padEnd(width)}${heads.map((head) => head.padStart(11)).join("")}`);
  for (const { name, bare, log, ofBare } of rows) {
    const { median, low, high } = ofBare;
    const share = `${median.toFixed(2).padStart(11)}  [${low.toFixed(2)}, ${high.toFixed(2)}]`;
    console.log(`${`${name}  bare`.padEnd(width)}${figures(bare)}`);
    console.log(`${`${"".padEnd(name.length)}  log`.padEnd(width)}${figures(log)}${share}`);
  }
  console.log(
    "\nx N: so many batches outstanding. Medians of the rounds; CPU of all threads, each",
  );
}

function figures(result: RoundResult): string {
  const { megabytesPerSecond, batchesPerSecond, p50Ms, p99Ms, cpuMicrosPerBatch } = result;
  const whole = [megabytesPerSecond, batchesPerSecond].map(grouped);
  const cells = [...whole, p50Ms.toFixed(2), p99Ms.toFixed(2), grouped(cpuMicrosPerBatch)];
  return cells.map((cell) => cell.padStart(11)).join("");
}

function grouped(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function printOpen(row: OpenRow): void {
  const { gigabytes, segmentCount, medianMs, highMs, fillMegabytesPerSecond } = row;
  console.log(`\nopen a log of ${gigabytes} GB, ${segmentCount} segments, the page cache warm:`);
  console.log(`${grouped(medianMs)} ms, at most ${grouped(highMs)}`);
  console.log(`(filled at ${grouped(fillMegabytesPerSecond)} MB/s)`);
}
