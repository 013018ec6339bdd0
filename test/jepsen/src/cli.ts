/**
 * `npm run jepsen`: clusters of real processes, faults, and checked histories; see `--help`.
 *
 * Progress goes to stderr, the verdict to stdout.
 */

import { exitCodeOf, FlagError } from "@quorumlog/std";
import { HistoryError } from "./history/operations.ts";
import { writeReport } from "./report/report-file.ts";
import { RunFolderError } from "./run/line-shape.ts";
import { type Choices, helpOf, parseRequest } from "./run/request.ts";
import { checkSavedHistory } from "./run/saved-history.ts";
import { WORKLOADS } from "./workload/all-workloads.ts";

const NAMES = WORKLOADS.map(({ name }) => name);

const CHOICES: Choices = {
  workloads: NAMES,
  nemeses: ["mix"],
  defaults: { workloads: ["append", "register"], nemeses: ["mix"] },
  checks: NAMES,
};

/** @returns the exit code of the process. */
function main(argv: readonly string[]): number {
  const request = parseRequest(argv, CHOICES);
  switch (request.kind) {
    case "help":
      print(helpOf(CHOICES).trimEnd());
      return 0;
    case "report":
      print(reportOf(request.folder));
      return 0;
    case "check":
      return checkSavedHistory(request.file, request.workload, print);
    case "run":
      throw new FlagError(["there is nothing to run yet: --check and --report are there"]);
    default:
      throw new Error("a request is of one of these kinds");
  }
}

function print(line: string): void {
  console.log(line);
}

function reportOf(folder: string): string {
  try {
    return writeReport(folder);
  } catch (error) {
    if (!(error instanceof RunFolderError || error instanceof HistoryError)) throw error;
    throw new FlagError([`--report ${folder}: ${error.message}`]);
  }
}

process.exitCode = await exitCodeOf(
  () => main(process.argv.slice(2)),
  (line) => {
    console.error(line);
  },
);
