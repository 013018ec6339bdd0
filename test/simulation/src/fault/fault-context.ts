/** What a fault may use, and the aims that several of them share. */

import type { Prng } from "@quorumlog/std";
import type { EventQueue, Micros } from "../engine/event-queue.ts";
import type { Cluster } from "../run/cluster.ts";
import type { Host } from "../run/host.ts";
import type { FaultAtlas } from "./atlas.ts";
import type { Operator } from "./operator.ts";

/** Begins a fault; returns false if there is nothing it could hit now. */
export type Fault = (context: FaultContext) => boolean;

export class FaultContext {
  readonly cluster: Cluster;
  readonly atlas: FaultAtlas;
  readonly operator: Operator;
  readonly prng: Prng;
  readonly #undos = new Set<() => void>();
  /** Counts the storms: what a former one had planned is not done in a later one. */
  #storm = 0;

  constructor(init: { cluster: Cluster; atlas: FaultAtlas; operator: Operator; prng: Prng }) {
    this.cluster = init.cluster;
    this.atlas = init.atlas;
    this.operator = init.operator;
    this.prng = init.prng;
  }

  get queue(): EventQueue {
    return this.cluster.queue;
  }

  /** One base election timeout: the unit in which faults that aim at elections last. */
  get electionTimeout(): Micros {
    const { raft, tickMicros } = this.cluster.swarm;
    return raft.electionTicks * tickMicros;
  }

  /** Undoes something after a while, or when the storm is over. */
  during(duration: Micros, undo: () => void): void {
    this.#undos.add(undo);
    this.queue.schedule(duration, () => {
      if (this.#undos.delete(undo)) undo();
    });
  }

  /** The next step of a fault in several; not taken any more when the storm is over. */
  after(delay: Micros, step: () => void): void {
    const storm = this.#storm;
    this.queue.schedule(delay, () => {
      if (this.#storm === storm) step();
    });
  }

  /** The storm is over: undoes everything that still lasts. */
  end(): void {
    this.#storm += 1;
    for (const undo of this.#undos) undo();
    this.#undos.clear();
  }

  /** Hosts that take part: not yet to join, nor gone for good. */
  activeHosts(): Host[] {
    return this.cluster.hosts.filter(({ state }) => state !== "spare");
  }

  runningHosts(): Host[] {
    return this.cluster.hosts.filter(({ isUp }) => isUp);
  }

  /** Some running host; often the leader's, where faults matter most. */
  pickRunning(): Host | undefined {
    const leader = this.leaderHost();
    if (leader !== undefined && this.prng.chance(0.45)) return leader;
    const running = this.runningHosts();
    return running.length === 0 ? undefined : this.prng.pick(running);
  }

  leaderHost(): Host | undefined {
    const leader = this.cluster.leader();
    return leader === undefined ? undefined : this.cluster.host(leader.id);
  }

  /** A duration between the bounds, short ones being likelier. */
  duration(low: Micros, high: Micros): Micros {
    const share = this.prng.fraction();
    return Math.round(low + (high - low) * share * share);
  }
}
