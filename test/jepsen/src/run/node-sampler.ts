/** Looks at the nodes of a cluster again and again, and keeps what has changed. */

import type { NodeView } from "../node/node-protocol.ts";
import type { NodeLine } from "./run-record.ts";

/** What a sampler sees of a cluster. */
export interface SampledCluster {
  views(): ReadonlyMap<number, NodeView | undefined>;
  isServing(nodeId: number): boolean;
}

const EVERY_MS = 100;

export class NodeSampler {
  readonly #workload: string;
  readonly #cluster: SampledCluster;
  readonly #nowNs: () => number;
  readonly #onLine: (line: NodeLine) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #last = new Map<number, NodeLine>();

  constructor(
    workload: string,
    cluster: SampledCluster,
    { nowNs, onLine }: { readonly nowNs: () => number; readonly onLine: (line: NodeLine) => void },
  ) {
    this.#workload = workload;
    this.#cluster = cluster;
    this.#nowNs = nowNs;
    this.#onLine = onLine;
    this.look();
    this.#timer = setInterval(() => {
      this.look();
    }, EVERY_MS);
  }

  /** Also out of turn. */
  look(): void {
    const timeNs = this.#nowNs();
    for (const [nodeId, view] of this.#cluster.views()) {
      const last = this.#last.get(nodeId);
      const state: NodeLine["state"] =
        view === undefined ? this.#stateOfSilent(nodeId, last) : "up";
      // Nodes that may join later are not there yet.
      if (last === undefined && state === "down") continue;
      const { role, term, appliedIndex } = view ?? last ?? UNKNOWN;
      const changing = { timeNs, state, role, term, appliedIndex };
      const line: NodeLine = { workload: this.#workload, nodeId, ...changing };
      // What is applied changes all the time: it is kept with what else has changed.
      const isNews = last?.state !== state || last.role !== role || last.term !== term;
      this.#last.set(nodeId, line);
      if (isNews) this.#onLine(line);
    }
  }

  /** Ends with how all of them are now. */
  stop(): void {
    clearInterval(this.#timer);
    this.look();
    for (const line of this.#last.values()) this.#onLine(line);
    this.#last.clear();
  }

  /** Whoever serves, and says nothing any more, stands still; or has said nothing so far. */
  #stateOfSilent(nodeId: number, last: NodeLine | undefined): "down" | "paused" {
    const hasSpoken = last !== undefined && last.state !== "down";
    return hasSpoken && this.#cluster.isServing(nodeId) ? "paused" : "down";
  }
}

const UNKNOWN = { role: "follower", term: 0, appliedIndex: 0 } as const;
