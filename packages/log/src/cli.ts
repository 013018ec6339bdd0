#!/usr/bin/env node
/**
 * `quorumlog-log stat|verify|dump DIR`: a look at the log of a stopped node; see `--help`.
 *
 * Results go to stdout, progress and errors to stderr.
 */

import { inspectLog } from "./inspection/inspect-log.ts";
import { endWithReader, writeLines } from "./inspection/output.ts";
import { HELP, parseRequest, UsageError } from "./inspection/request.ts";

const EXIT_REFUSED = 2;

/** @returns the exit code of the process. */
async function main(argv: readonly string[]): Promise<number> {
  const request = parseRequest(argv);
  if (request.command !== "help") return inspectLog(request);
  await writeLines([HELP.trimEnd()]);
  return 0;
}

endWithReader();
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n--help tells what there is\n`);
  process.exitCode = EXIT_REFUSED;
}
