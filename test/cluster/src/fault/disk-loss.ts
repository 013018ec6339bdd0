/** Disks that are lost, or damaged while their node is down; never too many for the group. */

import type { Prng } from "@quorumlog/std";
import type { SimNode } from "../node/sim-node.ts";
import type { World } from "../run/world.ts";
import type { Operator } from "./operator.ts";
import { Rot } from "./rot.ts";
import type { Supervisor } from "./supervisor.ts";

export interface DiskLossInit {
  readonly world: World;
  readonly supervisor: Supervisor;
  readonly operator: Operator;
  readonly prng: Prng;
}

export class DiskLoss {
  readonly #init: DiskLossInit;

  constructor(init: DiskLossInit) {
    this.#init = init;
  }

  /** A bit of any of its files is another one when it starts again. */
  damage(node: SimNode): void {
    this.#whenDown(node, () => {
      const { world, supervisor, prng } = this.#init;
      const { disk, nodeId } = node;
      const path = prng.pick(node.files());
      const bytes = disk.bytesOf(path);
      if (bytes.length === 0) return;
      const used = usedBytes(bytes);
      const position = prng.below(prng.chance(0.9) ? used : bytes.length);
      disk.damage(path, position, Uint8Array.of((bytes[position] ?? 0) ^ (1 << prng.below(8))));
      world.damaged.add(nodeId);
      if (position < disk.provenBytes(path)) world.provable.add(nodeId);
      supervisor.lost.add(nodeId);
      world.story.count("bit flipped");
      world.story.note(() => `node ${nodeId}: a bit of ${path} flips at ${position}`);
    });
  }

  /** Of a sealed segment: the node has to mend it with the help of its peers. */
  rot(node: SimNode): void {
    const { world, prng } = this.#init;
    if (!world.swarm.recoverFromPeers || !node.isFounded || !this.#canLose(node)) return;
    const rot = new Rot(world, prng);
    if (prng.chance(0.5)) {
      if (node.isServing) rot.strike(node, false);
      return;
    }
    this.#whenDown(node, () => {
      this.#init.supervisor.lost.delete(node.nodeId);
      rot.strike(node, true);
    });
  }

  wipe(node: SimNode): void {
    this.#whenDown(node, () => {
      this.#init.supervisor.wipe(node);
    });
  }

  #whenDown(node: SimNode, act: () => void): void {
    const { world, supervisor, prng } = this.#init;
    if (!node.isFounded || !this.#canLose(node)) return;
    // Until it is sure that it happens, as if it had happened.
    supervisor.lost.add(node.nodeId);
    supervisor.keepDown(node, 300);
    node.kill(prng.chance(0.5) ? "power" : "process");
    world.queue.after(100, () => {
      if (node.life === undefined && !node.isGoing && node.isFounded) act();
      else if (node.life !== undefined) supervisor.lost.delete(node.nodeId);
    });
  }

  /** The voters that keep their disks are a majority, by whatever configuration is in force. */
  #canLose(node: SimNode): boolean {
    const { world, supervisor, operator } = this.#init;
    const life = world.leader()?.life;
    if (life === undefined || !operator.isSettled(life)) return false;
    const { voters } = life.replica.keeper.configuration;
    const atRisk = world.atRisk();
    const lost = voters.filter(({ id }) => id === node.nodeId || atRisk.has(id)).length;
    const isWhole = supervisor.lost.size === 0 && world.rotten.size === 0;
    return isWhole && lost <= (voters.length - 1) >> 1;
  }
}

/** Without the zeros at the end. */
function usedBytes(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 1 && bytes[end - 1] === 0) end -= 1;
  return end;
}
