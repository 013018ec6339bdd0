/**
 * `npm run bench -- broker-soak`: a broker group under all that a client can send, for long, with
 * one consumer that reads all of it and a log that is bounded in bytes; and whether its brokers use
 * as much memory and disk at the end as before.
 */

import { mkdirSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { drawBrokerSoak } from "./drawings/broker-soak-drawing.ts";
import { OUTCOME_FOLDER, writeOutcome } from "./outcome/outcome.ts";
import {
  BrokerSoakGroup,
  type BrokerSample,
  MESSAGE_BYTES,
  RETENTION_BYTES,
  type Stretch,
} from "./soak/broker-soak-group.ts";
import { brokerFindings } from "./soak/broker-soak-verdict.ts";
import { type Finding, largest, mean, trendOf } from "./soak/trend.ts";

/** Short enough for a series, long enough for a full load: it starts and ends with less. */
const STRETCH_MS = 10_000;
const SAMPLE_MS = 1_000;
/** Of what is retained: after that, segments come and go. */
const FILLED = 1.5;
/** A slow machine takes that long, or is left as it is. */
const FILL_STRETCHES_MAX = 60;
const COLUMN_WIDTH = 12;

interface BrokerSoakPlan {
  readonly minutes: number;
  /** Messages under way. */
  readonly inFlight: number;
}

export async function runBrokerSoakBench({ minutes, inFlight }: BrokerSoakPlan): Promise<void> {
  mkdirSync(OUTCOME_FOLDER, { recursive: true });
  // An exit ends the servers, and removes their folders.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => process.exit(1));
  const group = await BrokerSoakGroup.start(OUTCOME_FOLDER);
  try {
    await fill(group, inFlight);
    const { series, stretches } = await hold(group, { minutes, inFlight });
    const audit = await group.finish();
    const verdict = brokerFindings({ series, stretches, audit });
    print({ series, stretches, verdict });
    const results = { minutes, inFlight, verdict, audit, stretches, series };
    await writeOutcome({ bench: "broker-soak", results, draw: drawBrokerSoak });
    if (verdict.some(({ isGood }) => !isGood)) process.exitCode = 1;
  } finally {
    await group.stop();
  }
}

/** Until the log is as long as it is ever to be, so that what follows is steady. */
async function fill(group: BrokerSoakGroup, inFlight: number): Promise<void> {
  let bytes = 0;
  for (let i = 0; i < FILL_STRETCHES_MAX && bytes < FILLED * RETENTION_BYTES; i++) {
    const { messages } = await group.publish(inFlight, STRETCH_MS);
    bytes += messages * MESSAGE_BYTES;
    showProgress(`filling the log: ${grouped(bytes / 1_048_576)} MB`);
  }
}

async function hold(
  group: BrokerSoakGroup,
  { minutes, inFlight }: BrokerSoakPlan,
): Promise<{ readonly series: BrokerSample[][]; readonly stretches: Stretch[] }> {
  const series: BrokerSample[][] = [];
  const stretches: Stretch[] = [];
  const until = performance.now() + minutes * 60_000;
  const ending = new AbortController();
  await group.samples();
  const sampling = sample(group, series, ending.signal);
  try {
    for (let now = performance.now(); now < until; now = performance.now()) {
      const stretch = await group.publish(inFlight, Math.min(STRETCH_MS, until - now));
      stretches.push(stretch);
      const left = Math.max(0, until - performance.now()) / 60_000;
      const memory = series.map((samples) => (samples.at(-1)?.anonymousMb ?? 0).toFixed(0));
      const disk = series.map((samples) => (samples.at(-1)?.diskMb ?? 0).toFixed(0));
      showProgress(
        `${left.toFixed(1)} min left; ${grouped(stretch.messages / stretch.seconds)}/s; ` +
          `memory ${memory.join("/")} MB, disk ${disk.join("/")} MB`,
      );
    }
  } finally {
    ending.abort();
    await sampling;
  }
  return { series, stretches };
}

async function sample(
  group: BrokerSoakGroup,
  series: BrokerSample[][],
  ending: AbortSignal,
): Promise<void> {
  while (!ending.aborted) {
    await pause(SAMPLE_MS);
    for (const [at, taken] of (await group.samples()).entries()) (series[at] ??= []).push(taken);
  }
}

function print(run: {
  readonly series: readonly (readonly BrokerSample[])[];
  readonly stretches: readonly Stretch[];
  readonly verdict: readonly Finding[];
}): void {
  const { series, stretches, verdict } = run;
  const heads = ["first fifth", "last fifth", "growth", "most"];
  console.log(`${"".padEnd(34)}${heads.map((head) => head.padStart(COLUMN_WIDTH)).join("")}`);
  const rows: readonly (readonly [string, (sample: BrokerSample) => number])[] = [
    ["anonymous memory, MB", ({ anonymousMb }) => anonymousMb],
    ["disk, MB", ({ diskMb }) => diskMb],
    ["CPU, cores", ({ cpuShare }) => cpuShare],
  ];
  for (const [at, samples] of series.entries())
    for (const [name, value] of rows) {
      const { firstFifth, lastFifth, growth } = trendOf(samples, value);
      const most = largest(samples.map(value));
      const cells = [firstFifth, lastFifth, growth, most].map((figure) => {
        return figure.toFixed(1).padStart(COLUMN_WIDTH);
      });
      console.log(`broker ${at + 1}  ${name.padEnd(24)}${cells.join("")}`);
    }
  console.log("growth: along a line through the last four fifths");
  const rates = stretches.map(({ messages, seconds }) => messages / seconds);
  const p50 = mean(stretches.map(({ p50Ms }) => p50Ms)).toFixed(1);
  const p99 = mean(stretches.map(({ p99Ms }) => p99Ms)).toFixed(1);
  const gap = Math.max(...stretches.map(({ gapMs }) => gapMs)).toFixed(0);
  console.log(
    `\nacknowledged ${grouped(mean(rates))}/s (${grouped(Math.min(...rates))} to ` +
      `${grouped(Math.max(...rates))}) within ${p50} ms (p50), ${p99} ms (p99), ` +
      `means of stretches of ten seconds; longest without one: ${gap} ms\n`,
  );
  for (const { what, isGood, detail } of verdict)
    console.log(`${isGood ? "ok      " : "NOT OK  "}${what.padEnd(32)}${detail}`);
}

function showProgress(text: string): void {
  process.stderr.write(`${text}\n`);
}

function grouped(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
