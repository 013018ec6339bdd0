/**
 * `npm run bench -- soak`: three replicas under a steady load for long, a reader on a follower,
 * snapshots and trims going on; and whether memory and disk stay what they are.
 */

import { mkdirSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { drawSoak } from "./drawings/soak-drawing.ts";
import { OUTCOME_FOLDER, writeOutcome } from "./outcome/outcome.ts";
import { SoakGroup } from "./soak/soak-group.ts";
import type { NodeSample } from "./soak/soak-node.ts";
import { findings } from "./soak/soak-verdict.ts";
import { type Finding, mean, trendOf } from "./soak/trend.ts";

const PEAK_MS = 5_000;
/** After the peak: what it has left behind is none of the steady load's. */
const CALM_MS = 5_000;
const PROGRESS_MS = 1_000;
const STALLS_SHOWN_MAX = 20;
const COLUMN_WIDTH = 12;

interface SoakPlan {
  readonly minutes: number;
  /** Of the peak, in `(0, 1]`. */
  readonly load: number;
}

export async function runSoakBench({ minutes, load }: SoakPlan): Promise<void> {
  mkdirSync(OUTCOME_FOLDER, { recursive: true });
  const series: NodeSample[][] = [[], [], []];
  const troubles: string[] = [];
  let isMeasured = false;
  const group = await SoakGroup.start(OUTCOME_FOLDER, {
    onSample: (sample) => {
      if (isMeasured) series[sample.nodeId - 1]?.push(sample);
    },
    onTrouble: (what) => {
      troubles.push(what);
    },
  });
  try {
    await group.haveFirstLead();
    showProgress("measuring the peak");
    const peak = await group.peak(PEAK_MS);
    const perSecond = peak * load;
    await group.tailOn(2);
    await group.setRate(perSecond);
    showProgress("filling the log up to its retention");
    await group.untilTrimmed();
    await pause(CALM_MS);
    isMeasured = true;
    await measured(series, minutes);
    isMeasured = false;
    showProgress("reading back");
    const reckoning = await group.reckon();
    showProgress("");
    const verdict = findings({ series, reckoning, troubles });
    print({ peak, perSecond, series, verdict });
    const results = { minutes, load, peak, perSecond, verdict, reckoning, troubles, series };
    await writeOutcome({ bench: "soak", results, draw: drawSoak });
    if (verdict.some(({ isGood }) => !isGood)) process.exitCode = 1;
  } finally {
    group.stop();
  }
}

async function measured(
  series: readonly (readonly NodeSample[])[],
  minutes: number,
): Promise<void> {
  const until = performance.now() + minutes * 60_000;
  for (let now = performance.now(); now < until; now = performance.now()) {
    await pause(Math.min(PROGRESS_MS, until - now));
    const left = Math.max(0, until - performance.now()) / 60_000;
    const last = series.map((samples) => samples.at(-1));
    const memory = last.map((sample) => (sample?.anonymousMb ?? 0).toFixed(0)).join("/");
    const disk = last.map((sample) => (sample?.diskMb ?? 0).toFixed(0)).join("/");
    const stalls = series.flat().reduce((count, sample) => count + sample.stalls.length, 0);
    const { acked = 0, failed = 0 } = last[0] ?? {};
    showProgress(
      `${left.toFixed(1)} min left; ${grouped(acked)} acknowledged, ${failed} failed; ` +
        `memory ${memory} MB, disk ${disk} MB; ${stalls} stalls`,
    );
  }
}

function print(run: {
  readonly peak: number;
  readonly perSecond: number;
  readonly series: readonly (readonly NodeSample[])[];
  readonly verdict: readonly Finding[];
}): void {
  const { peak, perSecond, series, verdict } = run;
  console.log(`peak ${grouped(peak)}/s of 1 KB, held ${grouped(perSecond)}/s\n`);
  const heads = ["first fifth", "last fifth", "growth"];
  console.log(`${"".padEnd(34)}${heads.map((head) => head.padStart(COLUMN_WIDTH)).join("")}`);
  const rows: readonly (readonly [string, (sample: NodeSample) => number])[] = [
    ["anonymous memory, MB", (sample) => sample.anonymousMb],
    ["resident memory, MB", (sample) => sample.rssMb],
    ["heap in use, MB", (sample) => sample.heapUsedMb],
    ["external, MB", (sample) => sample.externalMb],
    ["disk, MB", (sample) => sample.diskMb],
    ["CPU, cores", (sample) => sample.cpuShare],
    ["event loop, worst delay, ms", (sample) => sample.loopMaxMs],
    ["collector, ms in a second", (sample) => sample.gcMs],
  ];
  for (const [at, samples] of series.entries()) {
    for (const [name, value] of rows) {
      const { firstFifth, lastFifth, growth } = trendOf(samples, value);
      const cells = [firstFifth, lastFifth, growth].map((figure) => {
        return figure.toFixed(1).padStart(COLUMN_WIDTH);
      });
      console.log(`node ${at + 1}  ${name.padEnd(26)}${cells.join("")}`);
    }
  }
  console.log("growth: along a line through the last four fifths");
  printAcks(series[0] ?? []);
  printStalls(series);
  console.log("");
  for (const { what, isGood, detail } of verdict)
    console.log(`${isGood ? "ok      " : "NOT OK  "}${what.padEnd(32)}${detail}`);
}

function printAcks(samples: readonly NodeSample[]): void {
  const p50 = mean(samples.map(({ ackP50Ms }) => ackP50Ms)).toFixed(1);
  const p99 = mean(samples.map(({ ackP99Ms }) => ackP99Ms)).toFixed(1);
  const worst = samples.reduce((most, { ackMaxMs }) => Math.max(most, ackMaxMs), 0).toFixed(0);
  console.log(`\nacknowledged within ${p50} ms (p50), ${p99} ms (p99), ${worst} ms (worst)`);
}

function printStalls(series: readonly (readonly NodeSample[])[]): void {
  const stalls = series.flatMap((samples, at) => {
    return samples.flatMap((sample) => sample.stalls.map((stall) => ({ node: at + 1, ...stall })));
  });
  if (stalls.length > 0) console.log("\nstalls over 200 ms");
  for (const { node, kind, at, milliseconds, causes } of stalls.slice(0, STALLS_SHOWN_MAX)) {
    const time = new Date(at).toISOString().slice(11, 23);
    const why = causes.length === 0 ? "cause not known" : causes.join("; ");
    console.log(`${time}  node ${node}, ${kind}, ${milliseconds.toFixed(0)} ms: ${why}`);
  }
  if (stalls.length > STALLS_SHOWN_MAX) console.log(`and ${stalls.length - STALLS_SHOWN_MAX} more`);
}

/** One line that is written over, where somebody may be looking. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${text.padEnd(110)}\r`);
}

function grouped(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
