/**
 * `npm run test:integration`: real processes, real sockets, real files; see `--help`.
 *
 * Progress goes to stderr, the summary to stdout.
 */

import { exitCodeOf } from "@quorumlog/std";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HELP, parseRequest, type RunRequest } from "./flags.ts";
import { RunState } from "./run-state.ts";
import { runScenarios, type ScenarioReport } from "./runner.ts";
import { ALL_SCENARIOS } from "./scenarios/all-scenarios.ts";

const SIGINT_EXIT_CODE = 130;
const SIGTERM_EXIT_CODE = 143;

/** @returns the exit code of the process. */
async function main(argv: readonly string[]): Promise<number> {
  const request = parseRequest(
    argv,
    ALL_SCENARIOS.map(({ name }) => name),
  );
  if (request.kind === "help") {
    console.log(HELP.trimEnd());
    return 0;
  }
  const directory = request.directory ?? mkdtempSync(join(tmpdir(), "quorumlog-integration-"));
  mkdirSync(directory, { recursive: true });
  endCleanly(request.directory === undefined ? directory : undefined);
  return run(request, directory);
}

/** However it ends, short of `kill -9`: nodes end with this process, and then their files go. */
function endCleanly(directory: string | undefined): void {
  process.on("exit", () => {
    if (directory !== undefined)
      rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  });
  process.once("SIGINT", () => process.exit(SIGINT_EXIT_CODE));
  process.once("SIGTERM", () => process.exit(SIGTERM_EXIT_CODE));
}

async function run(request: RunRequest, directory: string): Promise<number> {
  const { form, seed, only, isResuming, isJson } = request;
  const startedAt = performance.now();
  const state = new RunState(directory, { form, seed });
  if (isResuming) state.resume();
  const reports = await runScenarios(ALL_SCENARIOS, {
    form,
    seed,
    only,
    directory,
    state,
    print: (line) => {
      console.error(line);
    },
  });
  const problemCount = reports.reduce((sum, { problems }) => sum + problems.length, 0);
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  if (isJson) console.log(JSON.stringify({ form, seed, seconds, problemCount, reports }));
  else console.log(describe(reports, { seconds, problemCount }));
  if (problemCount === 0) state.remove();
  return problemCount === 0 ? 0 : 1;
}

function describe(
  reports: readonly ScenarioReport[],
  { seconds, problemCount }: { readonly seconds: number; readonly problemCount: number },
): string {
  const acknowledged = reports.reduce((sum, { counts }) => sum + (counts["acknowledged"] ?? 0), 0);
  const lost = reports.reduce((sum, { counts }) => sum + (counts["lost"] ?? 0), 0);
  const skipped = reports.reduce((sum, report) => sum + report.skipped.length, 0);
  const problems = reports.flatMap((report) =>
    report.problems.map((problem) => `PROBLEM ${report.name}/${problem}\n`),
  );
  return (
    `${problems.join("")}${reports.length} scenarios in ${seconds} s: ${acknowledged} appends ` +
    `acknowledged, ${lost} lost; ${problemCount} problems, ${skipped} skipped`
  );
}

process.exitCode = await exitCodeOf(
  () => main(process.argv.slice(2)),
  (line) => {
    console.error(line);
  },
);
