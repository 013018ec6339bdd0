/**
 * How many nodes may have forgotten at once what they acknowledged: with flush mode `async`, a loss
 * of power takes what was not synced. A group outlives that for any minority of its voters, until
 * they have caught up; disks that are lost or damaged count as well.
 */

import type { World } from "../run/world.ts";
import type { SimNode } from "../node/sim-node.ts";

export class ForgettingBudget {
  readonly #world: World;
  /** Who may have forgotten something, and has not caught up. */
  readonly #forgetful = new Set<number>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Whether `node` may lose what it has not synced now; if so, it does. */
  take(node: SimNode): boolean {
    const { swarm, isChanging } = this.#world;
    if (swarm.flush.mode === "sync") return true;
    // A voter that is sound may be about to leave.
    if (isChanging()) return false;
    const atRisk = new Set([...this.atRisk(), node.nodeId]);
    if (atRisk.size > this.#limit()) return false;
    this.#forgetful.add(node.nodeId);
    this.#world.story.count("power lost with entries unsynced");
    return true;
  }

  atRisk(): ReadonlySet<number> {
    for (const nodeId of this.#forgetful)
      if (this.#hasCaughtUp(this.#world.node(nodeId))) this.#forgetful.delete(nodeId);
    const { lost, damaged, rotten } = this.#world;
    // Of what rots, too, the only other copy may be one that is not synced.
    return new Set([...this.#forgetful, ...lost, ...damaged, ...rotten.keys()]);
  }

  #hasCaughtUp({ life }: SimNode): boolean {
    if (life === undefined || life.gate.isOver || life.isDiskFaulty) return false;
    return life.replica.status().loss?.isSuspect !== true;
  }

  /** A minority, by whatever configuration anybody knows of. */
  #limit(): number {
    const counts: number[] = [];
    for (const { life } of this.#world.nodes.values()) {
      if (life === undefined) continue;
      const { voters, votersOutgoing } = life.replica.keeper.configuration;
      for (const { length } of [voters, votersOutgoing]) if (length > 0) counts.push(length);
    }
    return counts.length === 0 ? 0 : (Math.min(...counts) - 1) >> 1;
  }
}
