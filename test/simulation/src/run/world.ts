/** Everything that one run consists of, put together: the machines, the load, and the checkers. */

import type { NodeId } from "@quorumlog/raft";
import { Prng } from "@quorumlog/std";
import { describeConfiguration } from "../check/configuration-model.ts";
import { Invariants } from "../check/invariants.ts";
import { Ledger } from "../check/ledger.ts";
import { Oracle } from "../check/oracle.ts";
import { EventQueue } from "../engine/event-queue.ts";
import { Marks } from "../engine/marks.ts";
import { Trace } from "../engine/trace.ts";
import type { SwarmOptions } from "../fault/swarm.ts";
import type { ReadAnswer } from "../node/request-desk.ts";
import { Client, type OperationCounts } from "./client.ts";
import { Cluster } from "./cluster.ts";
import { EventMarks, type NodeEventListener } from "./event-marks.ts";

export interface WorldOptions {
  readonly swarm: SwarmOptions;
  /** Takes the story of the run, line by line. */
  readonly trace: ((line: string) => void) | undefined;
  /** Sees every event of every core; must not touch them. */
  readonly onEvent: NodeEventListener | undefined;
}

export class World {
  readonly queue: EventQueue = new EventQueue();
  readonly marks: Marks = new Marks();
  readonly prng: Prng;
  readonly trace: Trace;
  readonly cluster: Cluster;
  readonly ledger: Ledger;
  readonly oracle: Oracle;
  readonly clients: readonly Client[];
  readonly eventMarks: EventMarks;
  readonly counts: OperationCounts = {
    invoked: 0,
    acknowledged: 0,
    reads: 0,
    ambiguous: 0,
    refused: 0,
  };
  readonly #begin: () => void;

  constructor(options: WorldOptions) {
    const { swarm } = options;
    this.prng = new Prng(swarm.seed);
    this.trace = new Trace(this.queue, options.trace);
    this.eventMarks = new EventMarks(this.marks, this.trace, options.onEvent);
    const { queue, trace, marks } = this;
    this.cluster = new Cluster({ queue, trace, swarm, marks, prng: this.prng.fork() });

    const snapshot = this.cluster.bootstrapSnapshot();
    this.ledger = new Ledger(snapshot, swarm.load.keyCount, (entry, effect) => {
      this.oracle.onCommitted(entry, effect);
      if (entry.kind !== "configuration") return;
      this.eventMarks.onChangeCommitted(this.cluster);
      this.trace.note(() => `committed ${describeConfiguration(this.ledger.configuration)}`);
    });
    this.oracle = new Oracle(this.ledger);
    const watcher = new Invariants({
      ledger: this.ledger,
      oracle: this.oracle,
      trace,
      directory: this.cluster,
      listener: (node, event) => {
        this.eventMarks.onEvent(node, event);
      },
    });
    const { cluster, oracle, counts } = this;
    this.clients = Array.from(
      { length: swarm.load.clientCount },
      (_, i) => new Client({ id: i + 1, cluster, oracle, prng: this.prng.fork(), counts }),
    );
    cluster.injectRead = (id) => {
      this.#injectRead(id);
    };
    this.#begin = () => {
      cluster.bootstrap(snapshot, this.ledger, watcher);
    };
  }

  /** Starts the first members. */
  begin(): void {
    this.#begin();
  }

  #injectRead(id: NodeId): void {
    const { floor } = this.oracle;
    const key = this.prng.below(this.cluster.swarm.load.keyCount);
    const answer = (result: ReadAnswer): void => {
      if (result.kind !== "value") return;
      this.counts.reads += 1;
      this.oracle.onReadAcknowledged({ key, floor, value: result.value, index: result.index });
    };
    this.cluster.request(id, { kind: "read", request: { key, answer } });
  }
}
