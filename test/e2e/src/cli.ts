/**
 * `npm run test:e2e`: real text through a cluster whose leaders are killed; see `--help`.
 *
 * Progress goes to stderr, the summary to stdout.
 */

import { exitCodeOf } from "@quorumlog/std";
import { HELP, parseRequest } from "./flags.ts";
import { describeRun, runText } from "./text/text-run.ts";

/** @returns the exit code of the process. */
async function main(argv: readonly string[]): Promise<number> {
  const request = parseRequest(argv);
  if (request.kind === "help") {
    console.log(HELP.trimEnd());
    return 0;
  }
  const summary = await runText(request, (line) => {
    console.error(line);
  });
  console.log(request.isJson ? JSON.stringify(summary) : describeRun(summary));
  return summary.problemCount === 0 ? 0 : 1;
}

process.exitCode = await exitCodeOf(
  () => main(process.argv.slice(2)),
  (line) => {
    console.error(line);
  },
);
