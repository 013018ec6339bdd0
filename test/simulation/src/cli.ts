/**
 * `npm run sim`: many seeds, or one again.
 *
 *     npm run sim -- --seeds 1000 [--from 1] [--jobs 2] [--fail-fast] [--json]
 *     npm run sim -- --seed 42 [--trace FILE] [--tla FILE] [--json]
 *
 * Progress goes to stderr, the summary to stdout. Exits 1 on a violation, or if a rare path was not
 * reached by a thousand seeds; 2 if it does not understand what is asked of it.
 */

import { availableParallelism } from "node:os";
import { closeSync, openSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  BatchReport,
  type BatchSummary,
  describeSummary,
  describeFailure,
} from "./run/batch-report.ts";
import { runSeed, type SeedResult } from "./run/seed-run.ts";
import { TlaTrace } from "./run/tla-trace.ts";
import { runOnWorkers } from "./worker.ts";

const DEFAULT_SEED_COUNT = 200;
const WORKER_COUNT_MAX = 2;

const USAGE = `usage: npm run sim -- [--seeds N] [--from S] [--jobs J] [--fail-fast] [--json]
       npm run sim -- --seed X [--trace FILE] [--tla FILE] [--json]

  --seeds N      how many seeds to run, default ${DEFAULT_SEED_COUNT}
  --from S       the first of them, default 1
  --jobs J       threads, default ${WORKER_COUNT_MAX} or as many as there are cores
  --fail-fast    hand out no more seeds after the first violation
  --seed X       run one seed
  --trace FILE   write its story, line by line
  --tla FILE     write its events as NDJSON for etcd's Traceetcdraft.tla
  --json         print the summary as JSON`;

interface Request {
  readonly seed: number | undefined;
  readonly seeds: number;
  readonly from: number;
  readonly workers: number;
  readonly failFast: boolean;
  readonly json: boolean;
  readonly trace: string | undefined;
  readonly tla: string | undefined;
}

/** What was asked for, or undefined if that makes no sense. */
function parseRequest(argv: readonly string[]): Request | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seed: { type: "string" },
      seeds: { type: "string" },
      from: { type: "string" },
      jobs: { type: "string" },
      "fail-fast": { type: "boolean" },
      json: { type: "boolean" },
      trace: { type: "string" },
      tla: { type: "string" },
    },
  });
  const seed = values.seed === undefined ? undefined : asCount(values.seed);
  const seeds = asCount(values.seeds ?? `${DEFAULT_SEED_COUNT}`);
  const from = asCount(values.from ?? "1");
  const cores = Math.min(availableParallelism(), WORKER_COUNT_MAX);
  const workers = asCount(values.jobs ?? `${cores}`);
  const isSound = seeds !== undefined && from !== undefined && workers !== undefined && workers > 0;
  if (!isSound || (values.seed !== undefined && seed === undefined)) return undefined;
  if (seed === undefined && (values.trace !== undefined || values.tla !== undefined))
    return undefined;
  const { json = false, trace, tla } = values;
  const failFast = values["fail-fast"] ?? false;
  return { seed, seeds, from, workers, failFast, json, trace, tla };
}

function asCount(text: string): number | undefined {
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** Runs one seed again, with whatever is to be written down of it. */
function runOne(seed: number, request: Request): BatchReport {
  const trace = request.trace === undefined ? undefined : new LineFile(request.trace);
  const tlaFile = request.tla === undefined ? undefined : new LineFile(request.tla);
  const tla = tlaFile === undefined ? undefined : new TlaTrace((line) => tlaFile.write(line));
  const result = runSeed(seed, {
    ...(trace === undefined ? {} : { trace: (line: string) => trace.write(line) }),
    ...(tla === undefined ? {} : { onEvent: tla.onEvent }),
  });
  trace?.close();
  tlaFile?.close();
  const report = new BatchReport();
  report.add(result);
  if (!request.json) console.log(`seed ${seed}: ${result.steps} steps, hash ${result.hash}`);
  return report;
}

async function runMany(request: Request): Promise<BatchReport> {
  const report = new BatchReport();
  const progress = new Progress(request.seeds);
  const end = request.from + request.seeds;
  let next = request.from;
  const source = {
    next: (): number | undefined => {
      const isOver = next >= end || (request.failFast && report.failures.length > 0);
      if (isOver) return undefined;
      next += 1;
      return next - 1;
    },
    onResult: (result: SeedResult): void => {
      report.add(result);
      progress.show(report);
    },
  };
  if (request.workers > 1) await runOnWorkers(request.workers, source);
  else
    for (let seed = source.next(); seed !== undefined; seed = source.next())
      source.onResult(runSeed(seed));
  progress.end();
  return report;
}

/** A line on stderr that is rewritten on a terminal, and now and then a new one elsewhere. */
class Progress {
  readonly #total: number;
  readonly #startedAt = performance.now();
  #shownAt = performance.now();

  constructor(total: number) {
    this.#total = total;
  }

  show(report: BatchReport): void {
    const now = performance.now();
    const { isTTY } = process.stderr;
    const isLast = report.seedCount === this.#total;
    if (now - this.#shownAt < (isTTY ? 100 : 5_000) && !isLast) return;
    this.#shownAt = now;
    const rate = report.seedCount / Math.max(0.001, (now - this.#startedAt) / 1_000);
    const left = Math.ceil((this.#total - report.seedCount) / rate);
    const line =
      `${report.seedCount}/${this.#total} seeds, ${rate.toFixed(1)}/s, ${left} s left, ` +
      `${report.steps} steps, ${report.failures.length} violations`;
    process.stderr.write(isTTY ? `\r${line}\u001B[K` : `${line}\n`);
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write("\n");
  }
}

/** A text file that is written line by line, in chunks. */
class LineFile {
  readonly #file: number;
  #pending: string[] = [];

  constructor(path: string) {
    this.#file = openSync(path, "w");
  }

  write(line: string): void {
    this.#pending.push(line, "\n");
    if (this.#pending.length > 4_096) this.#flush();
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
  }

  #flush(): void {
    writeSync(this.#file, this.#pending.join(""));
    this.#pending = [];
  }
}

function print(summary: BatchSummary, isJson: boolean): void {
  if (isJson) {
    console.log(JSON.stringify(summary));
    return;
  }
  for (const failure of summary.failures) console.log(`${describeFailure(failure)}\n`);
  console.log(describeSummary(summary));
}

async function main(): Promise<number> {
  let request: Request | undefined;
  try {
    request = parseRequest(process.argv.slice(2));
  } catch (error) {
    // parseArgs throws on options it does not know; its message says which.
    console.error(error instanceof Error ? error.message : String(error));
  }
  if (request === undefined) {
    console.error(USAGE);
    return 2;
  }
  const startedAt = performance.now();
  const { seed } = request;
  const report = seed === undefined ? await runMany(request) : runOne(seed, request);
  const summary = report.summary((performance.now() - startedAt) / 1_000);
  print(summary, request.json);
  return summary.isFailure ? 1 : 0;
}

process.exitCode = await main();
