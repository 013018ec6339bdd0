/**
 * `npm run sim`: many seeds, or one again; see `--help`.
 *
 *     npm run sim -- --seeds 1000 [--from 1] [--jobs 2] [--fail-fast] [--json]
 *     npm run sim -- --seed 42 [--trace FILE] [--tla FILE] [--json]
 *
 * Progress goes to stderr, the summary to stdout.
 */

import { exitCodeOf } from "@quorumlog/std";
import { endWithReader } from "./closed-pipe.ts";
import { HELP, parseRequest } from "./flags.ts";
import { runMany } from "./many-seeds.ts";
import { runOne } from "./one-seed.ts";
import { describeFailure, describeSeed, describeSummary } from "./run/batch-report.ts";

/** @returns the exit code of the process. */
async function main(argv: readonly string[]): Promise<number> {
  const request = parseRequest(argv);
  if (request.kind === "help") {
    console.log(HELP.trimEnd());
    return 0;
  }
  const startedAt = performance.now();
  const isOne = request.kind === "one";
  const report = isOne ? await runOne(request) : await runMany(request);
  const summary = report.summary({
    realSeconds: (performance.now() - startedAt) / 1_000,
    asked: isOne ? 1 : request.seeds,
  });
  // Known before it is printed, for whoever reads only the start of that.
  process.exitCode = summary.isFailure ? 1 : 0;
  if (request.isJson) {
    console.log(JSON.stringify(summary));
    return process.exitCode;
  }
  const hasResult = summary.steps > 0;
  if (isOne && hasResult)
    console.log(`seed ${request.seed}: ${summary.steps} steps, hash ${summary.hash}`);
  for (const failure of summary.failures) console.log(`${describeFailure(failure)}\n`);
  console.log(isOne ? describeSeed(summary) : describeSummary(summary));
  return process.exitCode;
}

endWithReader();
process.exitCode = await exitCodeOf(
  () => main(process.argv.slice(2)),
  (line) => {
    console.error(line);
  },
);
