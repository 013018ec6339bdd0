/** One seed, twice: what a run of it does must follow from the seed and from nothing else. */

import { FlagError, refuseFlags } from "@quorumlog/std";
import type { OneSeedRequest } from "./flags.ts";
import { LineFile } from "./line-file.ts";
import { BatchReport } from "./run/batch-report.ts";
import type { SeedFailure, SeedResult } from "./run/seed-run.ts";
import { runOnWorkers, type SeedTask } from "./worker.ts";

/** @throws FlagError if a file that was asked for cannot be written. */
export async function runOne(request: OneSeedRequest): Promise<BatchReport> {
  const { seed, trace, tla } = request;
  assertWritable({ trace, tla });
  const report = new BatchReport();
  const results: SeedResult[] = [];
  let complaint: string | undefined;
  let isLost = false;
  // The second without its story: writing that must not make a difference either.
  const runs: SeedTask[] = [{ seed, trace, tla }, { seed }];
  const source = {
    next: () => (isLost ? undefined : runs.shift()),
    onReply: (reply: { result: SeedResult; complaint: string | undefined }): void => {
      results.push(reply.result);
      complaint ??= reply.complaint;
    },
    onLoss: (_: number, failure: SeedFailure): void => {
      isLost = true;
      report.addFailure(seed, failure);
    },
  };
  // One thread for both, so that it shows, too, if the first leaves something behind.
  await runOnWorkers(source, { workers: 1 });
  if (complaint !== undefined) throw new FlagError([`a file is not complete: ${complaint}`]);
  const [first, second] = results;
  if (first !== undefined) report.add(first);
  if (first !== undefined && second !== undefined) {
    const failure = differenceOf(first, second);
    if (failure !== undefined) report.addFailure(seed, failure);
  }
  return report;
}

/** What is wrong if two runs of a seed are not the same; `undefined` if they are. */
export function differenceOf(first: SeedResult, second: SeedResult): SeedFailure | undefined {
  const [one, other] = [first, second].map(
    ({ hash, failure }) => `${hash} (${failure?.invariant ?? "no violation"})`,
  );
  if (one === other) return undefined;
  const detail = `two runs of the seed differ: hash ${one}, then ${other}`;
  const { virtualSeconds } = second;
  return { invariant: "determinism", detail, nodes: [], virtualSeconds, stack: undefined };
}

/** Before the run, which takes a while, and in the words of the operating system. */
function assertWritable(files: Readonly<Record<string, string | undefined>>): void {
  const problems = Object.entries(files).flatMap(([flag, path]) => {
    const problem = path === undefined ? undefined : new LineFile(path).close();
    return problem === undefined ? [] : [`--${flag}: ${problem}`];
  });
  refuseFlags(problems);
}
