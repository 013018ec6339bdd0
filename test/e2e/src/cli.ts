/**
 * `npm run test:e2e`: real text through a cluster whose leaders are killed; see `--help`.
 *
 * Progress goes to stderr, the summary to stdout.
 */

import { FlagError, HELP, parseRequest } from "./flags.ts";
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

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof FlagError)) throw error;
  console.error(`${error.message}; --help tells what there is`);
  process.exitCode = 2;
}
