/**
 * Decides what goes wrong, and when: periods of storm, each with some of the seed's faults, and
 * quiet ones between. Constant chaos hides bugs that need a calm to show.
 */

import type { Prng } from "@quorumlog/std";
import { type Micros, MILLISECOND, SECOND } from "../engine/event-queue.ts";
import { exponential } from "../engine/network.ts";
import { TRACE } from "../engine/trace.ts";
import { DISK_FAULTS } from "./disk-faults.ts";
import type { Fault, FaultContext } from "./fault-context.ts";
import { NETWORK_FAULTS } from "./network-faults.ts";
import { PROCESS_FAULTS } from "./process-faults.ts";
import { READ_RECIPES } from "./read-recipes.ts";
import { RECIPES } from "./recipes.ts";
import { FAULT_KINDS, type FaultKind, type SwarmOptions } from "./swarm.ts";

const FAULTS: Readonly<Record<FaultKind, Fault>> = {
  ...NETWORK_FAULTS,
  ...PROCESS_FAULTS,
  ...DISK_FAULTS,
  ...RECIPES,
  ...READ_RECIPES,
  membership: (context) => context.operator.churn(),
};

/** What leaves a group divided: logs that differ, terms far apart, votes cast in vain. */
const FINALES: readonly FaultKind[] = [
  "crashAll",
  "deposedReads",
  "figure8",
  "isolateLeader",
  "partition",
  "staleWrites",
  "voteStorm",
  "voteStorm",
];

const REPAIR_INTERVAL: Micros = 700 * MILLISECOND;

export class Nemesis {
  readonly #context: FaultContext;
  readonly #prng: Prng;
  readonly #swarm: SwarmOptions;
  readonly #counts = new Map<FaultKind, number>();
  #period: readonly FaultKind[] = [];
  #isOver = false;

  constructor(context: FaultContext, prng: Prng) {
    this.#context = context;
    this.#prng = prng;
    this.#swarm = context.cluster.swarm;
  }

  /** Faults that have hit something. */
  get faultCount(): number {
    let total = 0;
    for (const count of this.#counts.values()) total += count;
    return total;
  }

  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(FAULT_KINDS.map((kind) => [kind, this.#counts.get(kind) ?? 0]));
  }

  start(): void {
    this.#startPeriod();
    this.#scheduleFault();
    this.#scheduleRepair();
  }

  /**
   * Ends the storm, though not what the seed's network loses by nature, and strikes once or twice
   * more, so that the group is left in a state that no calm has mended. Returns how long that
   * takes.
   */
  finale(): Micros {
    this.#isOver = true;
    this.#context.end();
    const strikes = this.#prng.below(3);
    for (let i = 0; i < strikes; i++) FAULTS[this.#prng.pick(FINALES)](this.#context);
    return strikes * this.#context.electionTimeout * (0.5 + this.#prng.fraction() * 3);
  }

  /** No more faults, and none that last. */
  end(): void {
    this.#isOver = true;
    this.#context.end();
    this.#context.cluster.calm();
  }

  #startPeriod(): void {
    if (this.#isOver) return;
    const kinds = [...this.#swarm.faults.keys()];
    this.#period = this.#prng.chance(this.#swarm.quietShare)
      ? []
      : kinds.filter(() => this.#prng.chance(0.5));
    if (this.#period.length === 0) this.#context.cluster.marks.hit("quiet period");
    const time = this.#prng.between(1_000, 6_000) * MILLISECOND;
    this.#context.queue.schedule(time, () => {
      this.#startPeriod();
    });
  }

  #scheduleFault(): void {
    const delay = MILLISECOND + exponential(this.#prng, this.#swarm.faultInterval);
    this.#context.queue.schedule(delay, () => {
      if (this.#isOver) return;
      this.#strike();
      this.#scheduleFault();
    });
  }

  #strike(): void {
    let total = 0;
    for (const kind of this.#period) total += this.#swarm.faults.get(kind) ?? 0;
    let left = this.#prng.fraction() * total;
    for (const kind of this.#period) {
      left -= this.#swarm.faults.get(kind) ?? 0;
      if (left >= 0) continue;
      this.#context.cluster.trace.note(() => `fault: ${kind}`);
      if (!FAULTS[kind](this.#context)) return;
      this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
      this.#context.cluster.trace.event(TRACE.fault, FAULT_KINDS.indexOf(kind), 0);
      return;
    }
  }

  /** Lost disks are noticed, and their members replaced, on every seed. */
  #scheduleRepair(): void {
    const delay = exponential(this.#prng, REPAIR_INTERVAL);
    this.#context.queue.schedule(Math.min(delay, 3 * SECOND), () => {
      if (this.#isOver) return;
      this.#context.operator.repair();
      this.#scheduleRepair();
    });
  }
}
