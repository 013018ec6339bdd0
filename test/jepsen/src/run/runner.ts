/** Runs workloads side by side, and leaves a folder with all that was seen. */

import { Prng } from "@quorumlog/std";
import { join } from "node:path";
import type { Disk } from "../disk/disk.ts";
import type { Net } from "../links/net.ts";
import { writeReport } from "../report/report-file.ts";
import { workloadNamed } from "../workload/all-workloads.ts";
import { MIX } from "./fault-schedule.ts";
import { LiveLine, type LiveState } from "./live-line.ts";
import { machineFacts, projectVersion, sourceCommit } from "./machine-facts.ts";
import { commandOf, type RunRequest } from "./request.ts";
import { RunFolderWriter } from "./run-folder.ts";
import { FORMAT_VERSION, type Phase, type RunRecord, type Verdict } from "./run-record.ts";
import { verdictOf } from "./run-verdict.ts";
import { WorkloadRun } from "./workload-run.ts";

export interface RunResult {
  readonly record: RunRecord;
  readonly folder: string;
  readonly report: string;
  /** By a signal. */
  readonly wasCut: boolean;
}

/** Between two checks of what was seen so far, times how long the last one took. */
const CHECK_PAUSE_TIMES = 8;
const CHECK_PAUSE_MS_MIN = 10_000;

/** What clusters stand on. */
export interface RunGround {
  readonly net: Net;
  readonly disk: Disk;
}

/** @param signal - Cuts the run short: all ends, and what was seen is left all the same. */
export function runSuite(
  request: RunRequest,
  ground: RunGround,
  signal: AbortSignal,
): Promise<RunResult> {
  return new SuiteRun(request, ground, signal).run();
}

class SuiteRun {
  readonly #request: RunRequest;
  readonly #signal: AbortSignal;
  readonly #startedAt: bigint = process.hrtime.bigint();
  readonly #startedAtDate: Date = new Date();
  readonly #folder: RunFolderWriter;
  readonly #runs: readonly WorkloadRun[];
  readonly #line: LiveLine;
  readonly #phases: Phase[] = [];
  readonly #problems: string[] = [];
  #phase = "start";
  #faultsEndAtNs: number | undefined;

  constructor(request: RunRequest, ground: RunGround, signal: AbortSignal) {
    this.#request = request;
    this.#signal = signal;
    const time = this.#startedAtDate.toISOString().replaceAll(/[-:]|\.\d+Z$/gu, "");
    this.#folder = new RunFolderWriter(join(request.out, `${time}-${request.seed}`));
    const seeds = new Prng(request.seed);
    this.#line = new LiveLine(process.stderr, () => this.#look());
    this.#runs = request.workloads.map(
      (name) =>
        new WorkloadRun({
          workload: workloadNamed(name),
          request,
          ...ground,
          seed: seeds.uint32(),
          folder: this.#folder,
          startedAt: this.#startedAt,
          signal,
          tell: (line) => {
            this.#line.tell(line);
          },
        }),
    );
  }

  async run(): Promise<RunResult> {
    this.#line.tell(commandOf(this.#request));
    const checks = new AbortController();
    try {
      await this.#during("start", (each) => each.start());
      const checking = this.#checkNowAndThen(checks.signal);
      const timeLimitMs = this.#request.timeLimitS * 1_000;
      this.#faultsEndAtNs = this.#nowNs() + timeLimitMs * 1e6;
      await this.#during("faults", (each) => each.breakThings(timeLimitMs));
      this.#faultsEndAtNs = undefined;
      checks.abort();
      await checking;
      await this.#during("recovery and final reads", (each) => each.settle());
    } catch (error) {
      if (!this.#signal.aborted) this.#noteProblem(error);
    } finally {
      checks.abort();
      await this.#during("stop", (each) => each.stop());
    }
    await this.#during("check", (each) => each.checkAtLast());
    return this.#leave();
  }

  #noteProblem(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    this.#folder.addProblem(text);
    this.#problems.push(text.split("\n")[0] ?? "");
  }

  /** The same for all workloads, side by side. */
  async #during(phase: string, work: (each: WorkloadRun) => Promise<void>): Promise<void> {
    this.#phase = phase;
    const beginNs = this.#nowNs();
    try {
      // All of them come to an end, also if one fails: none is left behind.
      const ends = await Promise.allSettled(this.#runs.map((each) => work(each)));
      for (const end of ends) if (end.status === "rejected") throw end.reason;
    } finally {
      this.#phases.push({ name: phase, beginNs, endNs: this.#nowNs() });
    }
  }

  /** So that anomalies are told while the run goes on. */
  async #checkNowAndThen(signal: AbortSignal): Promise<void> {
    let pauseMs = CHECK_PAUSE_MS_MIN;
    for (;;) {
      await sleepUnless(pauseMs, signal);
      if (signal.aborted) return;
      const startedAt = performance.now();
      for (const each of this.#runs) {
        const before = each.anomalyCount;
        // The last check tells what is wrong with a history; this one is for the impatient.
        await each.check(signal).catch(() => undefined);
        if (each.anomalyCount > before) this.#line.tell(`${each.name}: ANOMALIES`);
      }
      pauseMs = Math.max(CHECK_PAUSE_MS_MIN, CHECK_PAUSE_TIMES * (performance.now() - startedAt));
    }
  }

  #leave(): RunResult {
    const record = this.#record();
    this.#folder.putRecord(record);
    this.#folder.close();
    const isKept = this.#request.isKept || record.verdict.valid !== true;
    if (!isKept) for (const each of this.#runs) each.removeData();
    this.#line.stop();
    const folder = this.#folder.path;
    return { record, folder, report: writeReport(folder), wasCut: this.#signal.aborted };
  }

  #record(): RunRecord {
    const { seed, workloads, nemeses, timeLimitS, nodeCount, net, disk, rate, leaseReads } =
      this.#request;
    const coverage = this.#runs.flatMap((each) => each.coverage());
    return {
      formatVersion: FORMAT_VERSION,
      verdict: this.#verdict(),
      command: commandOf(this.#request),
      seed,
      options: {
        workload: workloads.join(","),
        nemesis: nemeses.join(","),
        timeLimitS,
        nodes: nodeCount,
        net,
        disk,
        rate: rate ?? "as fast as is useful",
        leaseReads: leaseReads ?? "in some clusters",
      },
      version: projectVersion(),
      commit: sourceCommit(),
      machine: machineFacts(),
      startedAt: this.#startedAtDate.toISOString(),
      durationNs: this.#nowNs(),
      phases: this.#phases,
      workloads: this.#runs.map((each) => each.record()),
      coverage,
      gaps: this.#runs.flatMap((each) => each.gaps()),
    };
  }

  #verdict(): Verdict {
    const records = this.#runs.map((each) => each.record());
    const problems = [...this.#problems, ...this.#runs.flatMap((each) => each.problems)];
    // A run that was cut has not begun all of its faults, and has read nothing in the end.
    const coverage = this.#signal.aborted ? [] : this.#runs.flatMap((each) => each.coverage());
    const mustBite = this.#request.nemeses.includes(MIX) ? "anywhere" : "everywhere";
    const verdict = verdictOf({
      workloads: records,
      coverage,
      impossible: this.#impossibleFaults(),
      problems,
      mustBite,
    });
    if (!this.#signal.aborted || verdict.valid === false) return verdict;
    const reasons = ["the run was cut", ...verdict.reasons];
    return { valid: "unknown", summary: "The run was cut: no anomaly until then", reasons };
  }

  /** A sentence of each that was asked for by its name, and was possible in no cluster. */
  #impossibleFaults(): string[] {
    const leftOut = this.#runs.map(({ faults }) => faults?.leftOut ?? []);
    return this.#request.nemeses.flatMap((name) => {
      const lacks = leftOut.map((each) => each.find(({ fault }) => fault === name)?.lack);
      const [lack] = lacks;
      const isPossible = lack === undefined || lacks.includes(undefined);
      return isPossible ? [] : [`${name} was asked for, and is left out: needs ${lack}`];
    });
  }

  #look(): LiveState {
    const open = this.#runs.flatMap((each) =>
      (each.faults?.open() ?? []).map((fault) => `${each.name} ${fault}`),
    );
    const endNs = this.#faultsEndAtNs;
    return {
      phase: this.#phase,
      operations: new Map(this.#runs.map((each) => [each.name, each.operations])),
      faults: this.#runs.reduce((sum, { faults }) => sum + (faults?.begun ?? 0), 0),
      open,
      anomalies: this.#runs.reduce((sum, { anomalyCount }) => sum + anomalyCount, 0),
      secondsLeft: endNs === undefined ? undefined : (endNs - this.#nowNs()) / 1e9,
    };
  }

  #nowNs(): number {
    return Number(process.hrtime.bigint() - this.#startedAt);
  }
}

function sleepUnless(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done, { once: true });
  });
}
