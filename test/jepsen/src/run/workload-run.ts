/** One workload of a run: its cluster, its clients, and what is done to both. */

import { sleep } from "@quorumlog/integration/testing";
import { Prng } from "@quorumlog/std";
import { mkdirSync, rmSync } from "node:fs";
import { join, resolve as absolute } from "node:path";
import { type RunningClients, startClients } from "../client/running-clients.ts";
import type { Target } from "../cluster/target.ts";
import { TestCluster } from "../cluster/test-cluster.ts";
import { compareReplicas } from "../cluster/whole.ts";
import type { HistoryEvent } from "../history/history-event.ts";
import type { Disk } from "../disk/disk.ts";
import type { Net } from "../links/net.ts";
import type { Workload, WorkloadVerdict } from "../workload/workload.ts";
import { checkInBackground } from "./background-check.ts";
import { FaultSchedule } from "./fault-schedule.ts";
import { NodeSampler } from "./node-sampler.ts";
import type { RunFolderWriter } from "./run-folder.ts";
import type { AnomalyRecord, CoverageRecord, WorkloadRecord, WriteGap } from "./run-record.ts";
import type { RunRequest } from "./request.ts";
import { ServedAgain } from "./served-again.ts";
import { writeGapsOf } from "./write-gaps.ts";

export interface WorkloadRunInit {
  readonly workload: Workload;
  readonly request: RunRequest;
  readonly net: Net;
  readonly disk: Disk;
  /** Of this workload alone. */
  readonly seed: number;
  readonly folder: RunFolderWriter;
  readonly startedAt: bigint;
  /** Ends everything that waits. */
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
}

/** Kept of each workload; the rest is in its history. */
const ANOMALIES_KEPT_MAX = 200;
/** Of clusters, unless a run says otherwise. */
const LEASE_READS_SHARE = 0.3;
const CHECK_MS = 300_000;
/** Of final reads, once a node is missing: what the others have may show what is wrong. */
const PARTIAL_READS_MS = 15_000;
const ENDED_LOOK_MS = 100;
/** For a cluster to become whole of which anomalies are known by then. */
const WRONG_WHOLE_MS = 20_000;
/** That went well, before there are faults; or so long, on a machine that is busy. */
const WARM_OPERATIONS = 50;
const WARM_UP_MS_MAX = 60_000;
const WARM_UP_LOOK_MS = 50;
/** For all that clients could do before to be done again, with the cluster whole. */
const SERVED_AGAIN_MS = 30_000;
/** What is asked for without a change; all other actions are writes. */
const READS: ReadonlySet<string> = new Set([
  "read",
  "poll",
  "consume",
  "committed",
  "assign",
  "seek",
]);

export class WorkloadRun {
  readonly workload: Workload;
  /** What went wrong, a sentence each. */
  readonly problems: string[] = [];
  readonly #init: WorkloadRunInit;
  readonly #counts = { ok: 0, fail: 0, info: 0 };
  readonly #acknowledgedAtNs: number[] = [];
  readonly #served = new ServedAgain();
  #writesEndNs = Infinity;
  #cluster: TestCluster | undefined;
  #clients: RunningClients | undefined;
  #sampler: NodeSampler | undefined;
  #faults: FaultSchedule | undefined;
  /** Seen in the nodes, and not in what clients were told. */
  readonly #nodeAnomalies: AnomalyRecord[] = [];
  #comparedReplicas = 0;
  /** All nodes were there behind the last fault, and none has ended since. */
  #isWhole = false;
  #verdict: WorkloadVerdict | undefined;
  /** Resolves when nobody waits for anything any more. */
  readonly #cut: Promise<void>;

  constructor(init: WorkloadRunInit) {
    this.workload = init.workload;
    this.#init = init;
    this.#cut = new Promise((resolve) => {
      init.signal.addEventListener("abort", () => {
        resolve();
      });
    });
  }

  get name(): string {
    return this.workload.name;
  }

  /** That are over. */
  get operations(): number {
    const { ok, fail, info } = this.#counts;
    return ok + fail + info;
  }

  get faults(): FaultSchedule | undefined {
    return this.#faults;
  }

  /** As far as is known. */
  get anomalyCount(): number {
    return (this.#verdict?.anomalies.length ?? 0) + this.#nodeAnomalies.length;
  }

  /** A cluster with a leader, and clients that ask for things. */
  async start(): Promise<void> {
    const { workload, request, net, disk, seed, startedAt, folder } = this.#init;
    mkdirSync(this.#dataFolder, { recursive: true });
    const leaseReads = request.leaseReads ?? new Prng(seed).chance(LEASE_READS_SHARE);
    if (leaseReads) this.#init.tell(`${this.name}: reads at the leader rest on its lease`);
    const cluster = await TestCluster.start({
      kind: workload.kind,
      nodes: request.nodeCount,
      // For nodes that come when members go.
      spares: 1,
      // Without it nothing is lost by a loss of power.
      disk,
      seed,
      leaseReads,
      openLinks: net.open,
      folder: this.#dataFolder,
      keepsFiles: true,
    });
    this.#cluster = cluster;
    this.#sampler = new NodeSampler(this.name, cluster, {
      nowNs: () => this.#nowNs(),
      onLine: (line) => {
        folder.addNode(line);
      },
    });
    const { rate } = request;
    const command = cluster.links.commandAt("clients");
    const options = { seed, startedAt, command, ...(rate === undefined ? {} : { rate }) };
    const target = targetOfMembers(cluster);
    this.#clients = await startClients(workload, target, options, (events) => {
      this.#onEvents(events);
    });
    this.#clients.failed.catch((error: unknown) => {
      this.#complain("clients", error);
    });
    await this.#warmUp();
  }

  /** @returns once the last fault has ended, and the cluster is whole. */
  async breakThings(timeLimitMs: number): Promise<void> {
    const { request, seed, folder, tell, startedAt } = this.#init;
    const cluster = this.#cluster;
    const clients = this.#clients;
    if (cluster === undefined || clients === undefined) return;
    this.#faults = new FaultSchedule({
      workload: this.name,
      cluster,
      clients,
      names: request.nemeses,
      seed,
      startedAt,
      onLine: (line) => {
        folder.addFault(line);
        clients.setTarget(targetOfMembers(cluster));
        const verb = line.type === "begin" ? "begins" : "ends";
        const words = line.type === "begin" ? line.words : line.evidence;
        tell(`${this.name}: ${line.fault} ${verb}${words === "" ? "" : `: ${words}`}`);
      },
    });
    for (const { fault, lack } of this.#faults.leftOut)
      tell(`${this.name}: ${fault} is left out: needs ${lack}`);
    // Whether what is known to be wrong can be whole again is not waited for as long.
    const patienceMs = (): number | undefined =>
      this.anomalyCount > 0 ? WRONG_WHOLE_MS : undefined;
    const faults = this.#faults.run(timeLimitMs, patienceMs).then(() => {
      this.#isWhole = true;
    });
    await this.#guard("faults", faults);
  }

  /** Clients are served as before, everything is read, and replicas are compared. */
  async settle(): Promise<void> {
    const { signal } = this.#init;
    const cluster = this.#cluster;
    const clients = this.#clients;
    if (cluster === undefined || clients === undefined || signal.aborted) return;
    clients.setTarget(targetOfMembers(cluster));
    if (this.#isWhole) await this.#untilServedAgain();
    this.#writesEndNs = this.#nowNs();
    await this.#guard("final reads", this.#readAll(cluster, clients));
    // Without one of them there is nothing to compare, and nobody to wait for.
    if (!this.#isWhole) return;
    await this.#guard(
      "replicas",
      compareReplicas(cluster).then(({ audits, differences }) => {
        this.#comparedReplicas = audits.size;
        for (const message of differences)
          this.#nodeAnomalies.push({ kind: "replicas-differ", message, events: [] });
      }),
    );
  }

  /** A cluster that is whole, and of which clients get nothing any more, has not recovered. */
  async #untilServedAgain(): Promise<void> {
    const { signal } = this.#init;
    this.#served.begin();
    const until = performance.now() + SERVED_AGAIN_MS;
    while (!this.#served.isSo && performance.now() < until && !signal.aborted)
      await sleep(WARM_UP_LOOK_MS);
    if (signal.aborted) return;
    for (const problem of this.#served.problems()) this.#noteProblem(problem);
  }

  /** Goes on for a moment only when a node is missing, with nothing done to it. */
  async #readAll(cluster: TestCluster, clients: RunningClients): Promise<void> {
    const givesUp = new AbortController();
    let partialUntil = Infinity;
    const look = setInterval(() => {
      if (cluster.endedMemberIds.length > 0) this.#isWhole = false;
      if (this.#isWhole) return;
      partialUntil = Math.min(partialUntil, performance.now() + PARTIAL_READS_MS);
      if (performance.now() > partialUntil) givesUp.abort();
    }, ENDED_LOOK_MS);
    try {
      if (!(await clients.drain(undefined, givesUp.signal)))
        this.#noteProblem("final reads did not come to an end");
    } finally {
      clearInterval(look);
    }
  }

  /** Ends all processes. Idempotent; what was seen stays. */
  async stop(): Promise<void> {
    this.#writesEndNs = Math.min(this.#writesEndNs, this.#nowNs());
    this.#sampler?.stop();
    this.#sampler = undefined;
    if (!this.#init.signal.aborted) this.#noteEnds();
    // These have to come to their end, also of a run that is cut.
    try {
      await this.#clients?.stop();
      await this.#cluster?.stop();
    } catch (error) {
      this.#complain("stop", error);
    }
  }

  /** Of what was written so far; a later one takes its place. */
  async check(signal?: AbortSignal): Promise<void> {
    const path = join(this.#init.folder.path, `history-${this.name}.jsonl`);
    if (this.operations === 0) return;
    const task = { path, workload: this.name };
    const bounds = { timeoutMs: CHECK_MS, ...(signal === undefined ? {} : { signal }) };
    const verdict = await checkInBackground(task, bounds);
    if (signal?.aborted !== true) this.#verdict = verdict;
  }

  /** As {@link check}, at the end: what goes wrong in it is a problem of the run. */
  async checkAtLast(): Promise<void> {
    try {
      await this.check();
    } catch (error) {
      this.#complain("check", error);
    }
  }

  /** The files of its nodes. */
  removeData(): void {
    rmSync(this.#dataFolder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  record(): WorkloadRecord {
    const { anomalies = [], unknown = ["nothing was checked"], counts = {} } = this.#verdict ?? {};
    const all = [...this.#nodeAnomalies, ...anomalies];
    const valid = all.length > 0 ? false : (this.#verdict?.valid ?? "unknown");
    const { name, kind, clientCount } = this.workload;
    return {
      name,
      kind,
      valid,
      clientCount,
      nodeIds: this.#cluster?.founders ?? [],
      operations: { ...this.#counts },
      counts: { ...counts, replicasCompared: this.#comparedReplicas },
      anomalies: all.slice(0, ANOMALIES_KEPT_MAX),
      anomalyCount: all.length,
      unknown,
    };
  }

  coverage(): readonly CoverageRecord[] {
    return this.#faults?.coverage() ?? [];
  }

  gaps(): WriteGap[] {
    const endNs = Math.min(this.#writesEndNs, this.#nowNs());
    const spans = this.#faults?.spans() ?? [];
    return writeGapsOf(this.name, spans, { acknowledgedAtNs: this.#acknowledgedAtNs, endNs });
  }

  get #dataFolder(): string {
    return join(absolute(this.#init.folder.path), "data", this.name);
  }

  /** A fault that hits clients which have not found anybody yet tests nothing. */
  async #warmUp(): Promise<void> {
    const { signal } = this.#init;
    const until = performance.now() + WARM_UP_MS_MAX;
    while (this.#counts.ok < WARM_OPERATIONS && performance.now() < until && !signal.aborted)
      await sleep(WARM_UP_LOOK_MS);
  }

  /** Of processes, by themselves. */
  #noteEnds(): void {
    const noted = new Set<string>();
    for (const { nodeId, words, message, finding } of this.#cluster?.unexpectedEnds ?? []) {
      this.#noteProblem(`node ${nodeId} has ended by itself: ${words}`);
      // One that is started ends again as it did before.
      if (finding === undefined || noted.has(message)) continue;
      noted.add(message);
      const text = `node ${nodeId} has ended by itself: ${message}`;
      this.#nodeAnomalies.push({ kind: finding, message: text, events: [] });
    }
  }

  #onEvents(events: readonly HistoryEvent[]): void {
    this.#init.folder.addEvents(this.name, events);
    for (const event of events) {
      const { process, type, action, timeNs } = event;
      if (type === "invoke" || process === "nemesis") continue;
      this.#served.note(event);
      this.#counts[type] += 1;
      if (type === "ok" && !READS.has(action)) this.#acknowledgedAtNs.push(timeNs);
    }
  }

  /** Other workloads go on, and what was seen of this one is told with what went wrong. */
  async #guard(part: string, work: Promise<void>): Promise<void> {
    try {
      await Promise.race([work, this.#cut]);
    } catch (error) {
      this.#complain(part, error);
    }
  }

  #complain(part: string, error: unknown): void {
    // What was cut fails everywhere, and that is no news.
    if (this.#init.signal.aborted) return;
    const words = error instanceof Error ? error.message : String(error);
    this.#noteProblem(`${part}: ${words}`);
  }

  /** The last words of all processes are of many lines. */
  #noteProblem(text: string): void {
    const { folder, tell } = this.#init;
    const [line = ""] = text.split("\n");
    folder.addProblem(`${this.name}: ${text}`);
    this.problems.push(`${this.name}: ${line}`);
    tell(`${this.name}: PROBLEM ${line}`);
  }

  #nowNs(): number {
    return Number(process.hrtime.bigint() - this.#init.startedAt);
  }
}

/** Without nodes that are not there. */
function targetOfMembers({ target, memberIds }: TestCluster): Target {
  const members = [...target.nodes].filter(([nodeId]) => memberIds.includes(nodeId));
  return { ...target, nodes: new Map(members) };
}
