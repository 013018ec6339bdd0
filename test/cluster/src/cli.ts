/**
 * `npm run cluster`: many seeds, or one again; see `--help`.
 *
 *     npm run cluster -- --seeds 200 [--from 1] [--jobs 2] [--json]
 *     npm run cluster -- --seed 42 [--trace] [--json]
 */

import { exitCodeOf } from "@quorumlog/std";
import { HELP, parseRequest, type Request } from "./flags.ts";
import { BatchReport, describeSummary } from "./run/batch-report.ts";
import { runSeed } from "./run/seed-run.ts";
import { runSeeds } from "./seed-workers.ts";

/** @returns the exit code of the process. */
async function main(argv: readonly string[]): Promise<number> {
  const request = parseRequest(argv);
  if (request.kind === "help") {
    console.log(HELP.trimEnd());
    return 0;
  }
  const startedAt = performance.now();
  const report = request.kind === "one" ? runTwice(request) : await runMany(request);
  const summary = report.summary((performance.now() - startedAt) / 1_000);
  const isBad = summary.failures.length > 0 || summary.missing.length > 0;
  console.log(request.isJson ? JSON.stringify(summary) : describeSummary(summary));
  return isBad ? 1 : 0;
}

function runTwice({ seed, hasTrace }: Request & { kind: "one" }): BatchReport {
  const report = new BatchReport();
  const first = runSeed(seed, hasTrace ? tell : undefined);
  const second = runSeed(seed);
  report.add(first);
  if (first.hash !== second.hash)
    report.addFailure(seed, {
      invariant: "determinism",
      detail: `two runs of the seed differ: ${first.hash}, then ${second.hash}`,
    });
  return report;
}

function tell(line: string): void {
  console.log(line);
}

async function runMany(request: Request & { kind: "many" }): Promise<BatchReport> {
  const report = new BatchReport();
  let done = 0;
  await runSeeds(request, (result) => {
    report.add(result);
    done += 1;
    if (process.stderr.isTTY) process.stderr.write(`\r${done}/${request.seeds} seeds\u001B[K`);
  });
  if (process.stderr.isTTY) process.stderr.write("\r\u001B[K");
  return report;
}

process.exitCode = await exitCodeOf(
  () => main(process.argv.slice(2)),
  (line) => {
    console.error(line);
  },
);
