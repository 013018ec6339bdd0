/** All workloads under each fault, one fault after the other. */

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Fault } from "../nemesis/fault.ts";
import type { Net } from "../links/net.ts";
import type { RunRequest, SuiteRequest } from "../run/request.ts";
import type { Validity } from "../run/run-record.ts";
import { runSuite as runOnce } from "../run/runner.ts";
import type { Workload } from "../workload/workload.ts";
import { cellsOf } from "./suite-cell.ts";
import { matrixText } from "./suite-matrix.ts";
import { planSuite, type SuiteStep } from "./suite-plan.ts";
import { SuiteState } from "./suite-state.ts";

export interface SuiteInit {
  readonly request: SuiteRequest;
  readonly workloads: readonly Workload[];
  readonly faults: readonly Fault[];
  readonly net: Net;
  /** Cuts it: what was not finished is run anew, the next time. */
  readonly signal: AbortSignal;
  /** Of progress. */
  readonly tell: (line: string) => void;
}

export interface SuiteResult {
  /** To be printed. */
  readonly text: string;
  readonly valid: Validity;
}

/** @throws RunFolderError if the folder is of another suite */
export async function runFullSuite(init: SuiteInit): Promise<SuiteResult> {
  const { request, workloads, faults, net, signal, tell } = init;
  const { timeLimitS, nodeCount, seed, rate } = request;
  const plan = planSuite(workloads, faults, { nodeCount, linkLacks: net.lacks });
  const identity = { timeLimitS, nodeCount, seed, rate: rate ?? null, net: net.name };
  const state = new SuiteState(join(request.out, "suite"), identity);
  if (state.cells.length > 0) tell(`goes on: ${state.cells.length} cells are done`);
  for (const [i, step] of plan.steps.entries()) {
    if (signal.aborted) break;
    if (state.isDone(step)) continue;
    tell(`${i + 1} of ${plan.steps.length}: ${step.workloads.join(", ")} under ${step.fault}`);
    const { record, folder, wasCut } = await runOnce(
      requestOf(request, step, { number: i, out: state.folder }),
      { net, disk: "unsynced" },
      signal,
    );
    if (wasCut) break;
    state.add(cellsOf(record, step.fault, folder));
    tell(record.verdict.summary);
    if (record.verdict.valid === true) removeHistories(folder);
  }
  const isComplete = plan.steps.every((step) => state.isDone(step));
  if (isComplete) state.complete();
  return { text: matrixText(plan, state.cells), valid: validityOf(state, isComplete) };
}

function requestOf(
  { timeLimitS, nodeCount, net, seed, rate }: SuiteRequest,
  { fault, workloads }: SuiteStep,
  { number, out }: { readonly number: number; readonly out: string },
): RunRequest {
  // Each step has chance of its own, whatever was run before it.
  const own = (seed + 7_919 * (number + 1)) % 2 ** 31;
  const nemeses = [fault];
  const drawn = { disk: "unsynced", lazyfs: undefined, leaseReads: undefined } as const;
  const run = { timeLimitS, nodeCount, net, rate, ...drawn, seed: own, out, isKept: false };
  return { kind: "run", workloads, nemeses, ...run };
}

/** Of a run that is valid there is nothing to look for; its report stays. */
function removeHistories(folder: string): void {
  for (const name of readdirSync(folder))
    if (name.startsWith("history-")) rmSync(join(folder, name));
}

function validityOf({ cells }: SuiteState, isComplete: boolean): Validity {
  if (cells.some(({ valid }) => valid === false)) return false;
  return isComplete && cells.every(({ valid }) => valid === true) ? true : "unknown";
}
