/** What is done to one workload's cluster, and what came of it, for the folder and the verdict. */

import type { RunningClients } from "../client/running-clients.ts";
import type { TestCluster } from "../cluster/test-cluster.ts";
import type { CoverageRecord, FaultLine } from "./run-record.ts";
import type { FaultSpan } from "./write-gaps.ts";

export interface FaultScheduleInit {
  readonly workload: string;
  readonly cluster: TestCluster;
  readonly clients: RunningClients;
  readonly names: readonly string[];
  readonly seed: number;
  readonly nowNs: () => number;
  readonly onLine: (line: FaultLine) => void;
}

export class FaultSchedule {
  readonly #init: FaultScheduleInit;
  readonly #begun = new Map<number, FaultLine>();
  readonly #ended = new Map<number, FaultLine>();

  constructor(init: FaultScheduleInit) {
    this.#init = init;
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

  async run(timeLimitMs: number, signal: AbortSignal): Promise<void> {
    const { cluster } = this.#init;
    const until = performance.now() + timeLimitMs;
    while (performance.now() < until && !signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      const { nodeId } = await cluster.leader();
      const line = this.#begin("kill-leader", [nodeId], `node ${nodeId}`);
      await cluster.kill(nodeId);
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      await cluster.startNode(nodeId);
      this.#end(line, "it was gone");
    }
  }

  spans(): FaultSpan[] {
    return [...this.#begun.values()].map(({ id, fault, timeNs }) => {
      return { id, fault, beginNs: timeNs, endNs: this.#ended.get(id)?.timeNs ?? Infinity };
    });
  }

  coverage(): CoverageRecord[] {
    const byFault = new Map<string, FaultLine[]>();
    for (const line of this.#begun.values())
      byFault.set(line.fault, [...(byFault.get(line.fault) ?? []), line]);
    return [...byFault].map(([fault, lines]) => {
      const evidence = lines.map(({ id }) => this.#ended.get(id)?.evidence ?? "");
      const seen = evidence.filter((text) => text !== "");
      return {
        workload: this.#init.workload,
        fault,
        begun: lines.length,
        bit: seen.length,
        evidence: seen[0] ?? "",
      };
    });
  }

  #begin(fault: string, nodeIds: readonly number[], words: string): FaultLine {
    const { workload, nowNs, onLine } = this.#init;
    const id = this.#begun.size;
    const line: FaultLine = {
      timeNs: nowNs(),
      type: "begin",
      id,
      workload,
      fault,
      nodeIds,
      words,
      evidence: "",
    };
    this.#begun.set(id, line);
    onLine(line);
    return line;
  }

  #end(begin: FaultLine, evidence: string): void {
    const line: FaultLine = { ...begin, timeNs: this.#init.nowNs(), type: "end", evidence };
    this.#ended.set(begin.id, line);
    this.#init.onLine(line);
  }
}
