/** What is done to one workload's cluster, and what came of it, for the folder and the verdict. */

import { sleep } from "@quorumlog/integration/testing";
import type { RunningClients } from "../client/running-clients.ts";
import type { TestCluster } from "../cluster/test-cluster.ts";
import { allFaults } from "../nemesis/all-faults.ts";
import { evidenceWords } from "../nemesis/evidence-words.ts";
import { type LeftOutFault, Nemesis, type NemesisEvent } from "../nemesis/nemesis.ts";
import type { CoverageRecord, FaultLine } from "./run-record.ts";
import type { FaultSpan } from "./write-gaps.ts";

/** For faults that had no effect in time. */
const LONGER_MS_MIN = 30_000;
const LOOK_MS = 50;

/** In place of a fault's name: all that suit the cluster, a few at a time. */
export const MIX = "mix";

export interface FaultScheduleInit {
  readonly workload: string;
  readonly cluster: TestCluster;
  readonly clients: RunningClients;
  /** Of faults, or {@link MIX}. */
  readonly names: readonly string[];
  readonly seed: number;
  /** When the run began, by `process.hrtime.bigint()`. */
  readonly startedAt: bigint;
  readonly onLine: (line: FaultLine) => void;
}

export class FaultSchedule {
  readonly #init: FaultScheduleInit;
  readonly #nemesis: Nemesis;
  readonly #isNamed: boolean;
  readonly #begun = new Map<number, FaultLine>();
  readonly #ended = new Map<number, FaultLine>();

  constructor(init: FaultScheduleInit) {
    const { cluster, clients, names, seed } = init;
    this.#init = init;
    const all = allFaults();
    this.#isNamed = !names.includes(MIX);
    const faults = this.#isNamed ? all.filter(({ name }) => names.includes(name)) : all;
    this.#nemesis = new Nemesis({
      cluster,
      isNamed: this.#isNamed,
      faults,
      seed,
      order: faults.length === 1 ? "turns" : "mix",
      onEvent: (event) => {
        this.#onEvent(event);
      },
      crashClients: () => clients.crash(),
    });
  }

  /** Of those that were asked for, the ones that are not possible here. */
  get leftOut(): readonly LeftOutFault[] {
    return this.#nemesis.leftOut;
  }

  get begun(): number {
    return this.#begun.size;
  }

  /** Names of those that go on. */
  open(): string[] {
    return [...this.#begun.values()]
      .filter(({ id }) => !this.#ended.has(id))
      .map(({ fault }) => fault);
  }

  /**
   * Faults that were asked for by name, and have had no effect when the time is over, get as much
   * time again, but {@link LONGER_MS_MIN} at least: on a slow machine a fault takes longer.
   *
   * @param patienceMs - Asked at the end: for how long the cluster may take then; default long.
   * @returns once the last one is over, and the cluster is whole.
   * @throws Error if it does not become so
   */
  async run(timeLimitMs: number, patienceMs?: () => number | undefined): Promise<void> {
    // None of those that were asked for suits this cluster.
    if (this.#nemesis.faults.length === 0) return;
    const ended = new AbortController();
    const over = this.#timeIsOver(timeLimitMs, ended.signal);
    try {
      await Promise.race([over, this.#nemesis.run()]);
    } finally {
      ended.abort();
      await this.#nemesis.stop(patienceMs?.());
      await over;
    }
  }

  async #timeIsOver(timeLimitMs: number, ended: AbortSignal): Promise<void> {
    const endMs = performance.now() + timeLimitMs;
    const lastMs = endMs + Math.max(LONGER_MS_MIN, timeLimitMs);
    const isOver = (): boolean => {
      const now = performance.now();
      if (now < endMs) return false;
      return !this.#isNamed || this.#nemesis.missing.length === 0 || now >= lastMs;
    };
    while (!ended.aborted && !isOver()) await sleep(LOOK_MS);
  }

  spans(): FaultSpan[] {
    return [...this.#begun.values()].map(({ id, fault, timeNs }) => {
      return { id, fault, beginNs: timeNs, endNs: this.#ended.get(id)?.timeNs ?? Infinity };
    });
  }

  coverage(): CoverageRecord[] {
    const { workload } = this.#init;
    return this.#nemesis.coverage().map(({ fault, hits, bites, needed, evidence }) => {
      const said = evidenceWords(evidence);
      return { workload, fault, begun: hits, bit: bites, needed, evidence: said };
    });
  }

  #onEvent({ at, type, hitId: id, fault, nodes, words, evidence, hasBitten }: NemesisEvent): void {
    const { workload, startedAt, onLine } = this.#init;
    const timeNs = Number(at - startedAt);
    const said = evidenceWords(evidence);
    const line: FaultLine = {
      timeNs,
      type,
      id,
      workload,
      fault,
      nodeIds: nodes,
      words,
      evidence: type === "begin" || hasBitten === true ? said : `no effect: ${said}`,
    };
    (type === "begin" ? this.#begun : this.#ended).set(id, line);
    onLine(line);
  }
}
