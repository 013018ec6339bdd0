/** `npm run sim`: see `--help`. */

import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { type Flags, HELP, parseFlags } from "./batch/flags.ts";
import { runPool } from "./batch/pool.ts";
import { type BatchReport, BatchSummary } from "./batch/summary.ts";
import { runSeed, type SeedResult, type SeedRunOptions } from "./run/seed-run.ts";
import { TlaTrace } from "./story/tla-trace.ts";

/** One seed in so many is run twice, in every batch. */
const TWICE_EVERY = 100;

async function main(words: readonly string[]): Promise<number> {
  if (words.includes("--help")) {
    console.log(HELP);
    return 0;
  }
  const flags = parseFlags(words);
  if (typeof flags === "string") {
    console.error(`${flags}\n\n${HELP}`);
    return 2;
  }
  return flags.seed === undefined ? runBatch(flags) : runOne(flags, flags.seed);
}

async function runBatch(flags: Flags): Promise<number> {
  const started = performance.now();
  const summary = new BatchSummary(flags.from);
  const elapsed = (): number => (performance.now() - started) / 1_000;
  let shownAt = 0;
  await runPool({
    from: flags.from,
    count: flags.count,
    jobs: flags.jobs,
    twiceEvery: TWICE_EVERY,
    stopsAtFailure: flags.stopsAtFailure,
    onReport: (report) => {
      summary.add(report);
      const { seed, failure } = report.result;
      if (failure !== undefined) console.error(`\nseed ${seed}: ${failure.invariant}`);
      const isDue = elapsed() - shownAt >= (process.stderr.isTTY ? 0.2 : 10);
      if (!isDue && summary.seeds < flags.count) return;
      shownAt = elapsed();
      showProgress(summary, flags.count, shownAt);
    },
  });
  const report = summary.report(elapsed());
  if (process.stderr.isTTY) process.stderr.write("\n");
  if (flags.isJson) console.log(JSON.stringify(report, undefined, 2));
  else print(report);
  return report.violations > 0 || report.missing.length > 0 ? 1 : 0;
}

function showProgress(summary: BatchSummary, count: number, seconds: number): void {
  const rate = summary.seeds / Math.max(0.001, seconds);
  const left = Math.ceil((count - summary.seeds) / Math.max(0.001, rate));
  const text =
    `${summary.seeds}/${count} seeds, ${summary.violations} violations, ` +
    `${rate.toFixed(1)} seeds/s, ${left} s left`;
  process.stderr.write(process.stderr.isTTY ? `\r${text.padEnd(76)}` : `${text}\n`);
}

function print(report: BatchReport): void {
  const { seeds, firstSeed, lastSeed, steps, seconds, means } = report;
  console.log(`\nrare paths (times taken, in how many of ${seeds} seeds)`);
  for (const [name, { times, seeds: in_ }] of Object.entries(report.rarePaths))
    console.log(`  ${`${times}`.padStart(9)} ${`${in_}`.padStart(7)}  ${name}`);
  console.log("\nmeans per seed");
  for (const [name, mean] of Object.entries(means))
    console.log(`  ${mean.toLocaleString("en-US").padStart(9)}  ${name}`);
  for (const { seed, failure, replay } of report.failures) {
    console.log(`\nseed ${seed}: ${failure.invariant}`);
    console.log(`  at ${failure.virtualSeconds} s, nodes ${failure.nodes.join(" ") || "-"}`);
    console.log(`  ${failure.detail}`);
    console.log(`  replay: ${replay}`);
  }
  for (const name of report.missing) console.log(`\nnever reached: ${name}`);
  console.log(
    `\nviolations ${report.violations}, seeds ${seeds} (${firstSeed} to ${lastSeed}), ` +
      `steps ${steps.toLocaleString("en-US")}, repeated with the same hash ${report.repeated}, ` +
      `${seconds} s, hash ${report.hash}`,
  );
}

function runOne(flags: Flags, seed: number): number {
  const result = recorded(flags, seed);
  const second = runSeed(seed);
  console.log(flags.isJson ? JSON.stringify(result, undefined, 2) : describeRun(result));
  if (result.hash !== second.hash) {
    console.error(`two runs differ: ${result.hash} and ${second.hash}`);
    return 1;
  }
  return result.failure === undefined ? 0 : 1;
}

/** Runs a seed, writing what was asked for while it runs. */
function recorded(flags: Flags, seed: number): SeedResult {
  const files: number[] = [];
  const writer = (file: string): ((line: string) => void) => {
    mkdirSync(dirname(file), { recursive: true });
    const descriptor = openSync(file, "w");
    files.push(descriptor);
    return (line) => {
      writeSync(descriptor, `${line}\n`);
    };
  };
  const options: { -readonly [K in keyof SeedRunOptions]: SeedRunOptions[K] } = {};
  if (flags.traceFile !== undefined) options.trace = writer(flags.traceFile);
  if (flags.tlaFile !== undefined) {
    const tla = new TlaTrace(writer(flags.tlaFile));
    options.onEvent = (node, event) => {
      tla.onEvent(node, event);
    };
  }
  try {
    return runSeed(seed, options);
  } finally {
    for (const descriptor of files) closeSync(descriptor);
  }
}

function describeRun(result: SeedResult): string {
  const { seed, hash, steps, virtualSeconds, operations, faultCount, elections } = result;
  const lines = [
    `seed ${seed}: ${virtualSeconds.toFixed(1)} virtual seconds, ${steps} steps, hash ${hash}`,
    `  ${operations.acknowledged} operations acknowledged, ${operations.ambiguous} ambiguous`,
    `  ${faultCount} faults, ${elections} elections, ${result.committed} entries committed`,
  ];
  const { failure } = result;
  if (failure === undefined) return [...lines, "  no violation"].join("\n");
  lines.push(`  VIOLATION at ${failure.virtualSeconds} s: ${failure.invariant}`);
  lines.push(`  ${failure.detail}`, `  nodes ${failure.nodes.join(" ")}`);
  if (failure.stack !== undefined) lines.push(failure.stack);
  return lines.join("\n");
}

process.exitCode = await main(process.argv.slice(2));
