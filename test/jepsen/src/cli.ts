/**
 * `npm run jepsen`: clusters of real processes, faults, and checked histories; see `--help`.
 *
 * Progress goes to stderr, the verdict to stdout.
 */

import { exitCodeOf, FlagError } from "@quorumlog/std";
import { foreignBug, PatchError } from "@quorumlog/mutants";
import { type Disk, diskNamed } from "./disk/disk.ts";
import { LazyFsMissingError } from "./disk/lazy-trial.ts";
import { HistoryError } from "./history/operations.ts";
import { NamespacesMissingError } from "./links/namespace-trial.ts";
import { type Net, netNamed } from "./links/net.ts";
import { allFaults } from "./nemesis/all-faults.ts";
import { writeReport } from "./report/report-file.ts";
import { MIX } from "./run/fault-schedule.ts";
import { RunFolderError } from "./run/line-shape.ts";
import {
  type BrokenRequest,
  type Choices,
  helpOf,
  parseRequest,
  type RunRequest,
  type SuiteRequest,
} from "./run/request.ts";
import type { Validity } from "./run/run-record.ts";
import { describeRun } from "./run/run-summary.ts";
import { exitCodeOfValidity } from "./run/run-verdict.ts";
import { runSuite } from "./run/runner.ts";
import { checkSavedHistory } from "./run/saved-history.ts";
import { runFullSuite } from "./suite/suite.ts";
import { runBroken, runSelfTest } from "./self-test/self-test.ts";
import { WORKLOADS } from "./workload/all-workloads.ts";

const SIGNAL_EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

const NAMES = WORKLOADS.map(({ name }) => name);

const CHOICES: Choices = {
  workloads: NAMES,
  nemeses: [MIX, ...allFaults().map(({ name }) => name)],
  defaults: { workloads: ["append", "queue", "register"], nemeses: [MIX] },
  checks: NAMES,
};

/** @returns the exit code of the process. */
async function main(argv: readonly string[]): Promise<number> {
  const request = parseRequest(argv, CHOICES);
  switch (request.kind) {
    case "help":
      print(helpOf(CHOICES).trimEnd());
      return 0;
    case "report":
      print(await told("--report", () => writeReport(request.folder)));
      return 0;
    case "check":
      return checkSavedHistory(request.file, request.workload, print);
    case "self-test":
      return (await runSelfTest({ ...request, print })) ? 0 : 1;
    case "broken":
      return tryPatch(request);
    case "run":
      return run(request);
    case "suite":
      return runAll(request);
    default:
      throw new Error("a request is of one of these kinds");
  }
}

/** @returns 0 if what is broken was found. */
async function tryPatch(request: BrokenRequest): Promise<number> {
  const { patch, seed } = request;
  try {
    return (await runBroken(foreignBug(patch), request, { seed, print })) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    throw new FlagError([`--broken: ${error.message}`]);
  }
}

async function run(request: RunRequest): Promise<number> {
  const ground = { net: await netOf(request), disk: await diskOf(request) };
  return untilCut(async (signal) => {
    const { record, folder, report } = await runSuite(request, ground, signal);
    print(describeRun(record));
    print(`folder ${folder}`);
    print(`report ${report}`);
    return record.verdict.valid;
  });
}

async function runAll(request: SuiteRequest): Promise<number> {
  const workloads = WORKLOADS;
  const net = await netOf(request);
  return untilCut(async (signal) => {
    const init = { request, workloads, faults: allFaults(), net, signal, tell: printError };
    const { text, valid } = await told("--suite", () => runFullSuite(init));
    print(text);
    return valid;
  });
}

/** @throws FlagError if this machine cannot have it */
async function netOf({ net: name }: Pick<RunRequest, "net">): Promise<Net> {
  try {
    const net = await netNamed(name);
    const lacks = Object.entries(net.lacks).map(
      ([what, lack]) => `no ${what}, which needs ${lack}`,
    );
    if (name !== "proxy") printError(`net ${name}: ${lacks.join("; ") || "nothing is missing"}`);
    return net;
  } catch (error) {
    if (!(error instanceof NamespacesMissingError)) throw error;
    throw new FlagError([`--net ${name}: ${error.message}`]);
  }
}

/** @throws FlagError if this machine cannot have it */
async function diskOf({ disk, lazyfs }: RunRequest): Promise<Disk> {
  try {
    return await diskNamed(disk, lazyfs);
  } catch (error) {
    if (!(error instanceof LazyFsMissingError)) throw error;
    throw new FlagError([`--disk ${disk}: ${error.message}`]);
  }
}

/**
 * A signal ends all that was started, and what was seen is left all the same; a second one, now.
 *
 * @returns the exit code of the process.
 */
async function untilCut(work: (signal: AbortSignal) => Promise<Validity>): Promise<number> {
  const cut = new AbortController();
  let signalExitCode = 0;
  for (const [signal, exitCode] of Object.entries(SIGNAL_EXIT_CODES))
    process.on(signal, () => {
      if (cut.signal.aborted) process.exit(exitCode);
      signalExitCode = exitCode;
      cut.abort(new Error(`the run was cut by ${signal}`));
    });
  const valid = await work(cut.signal);
  // What was cut in the middle may still wait for something; nothing of it outlives this process.
  if (signalExitCode !== 0) process.exit(signalExitCode);
  return exitCodeOfValidity(valid);
}

function print(line: string): void {
  console.log(line);
}

function printError(line: string): void {
  console.error(line);
}

/** What is wrong with files that were given is told as what is wrong with flags. */
async function told<T>(flag: string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RunFolderError || error instanceof HistoryError)) throw error;
    throw new FlagError([`${flag}: ${error.message}`]);
  }
}

process.exitCode = await exitCodeOf(() => main(process.argv.slice(2)), printError);
