/**
 * Sealed segments that rot, of one node at a time, while it is down or runs: it has to mend itself,
 * and nobody replaces it.
 */

import { SegmentLogStore } from "@quorumlog/log";
import type { Prng } from "@quorumlog/std";
import type { SimNode } from "../node/sim-node.ts";
import type { World } from "../run/world.ts";

/** Bits that flip at once in a file. */
const FLIPS_MAX = 30;

export class Rot {
  readonly #world: World;
  readonly #prng: Prng;

  constructor(world: World, prng: Prng) {
    this.#world = world;
    this.#prng = prng;
  }

  /**
   * Damages a segment that is not the last one.
   *
   * @param isDown - A file of a node that is down may be cut short or gone, too.
   * @returns whether there was one.
   */
  strike(node: SimNode, isDown: boolean): boolean {
    const paths = isDown ? sealedOf(node) : openSealedOf(node);
    if (paths.length === 0) return false;
    const { story, queue, rotten } = this.#world;
    const path = this.#prng.pick(paths);
    rotten.set(node.nodeId, queue.now());
    const kind = isDown ? this.#prng.below(4) : 0;
    if (kind === 1) node.disk.lose(path);
    else if (kind === 2) node.disk.truncate(path, this.#prng.below(node.disk.bytesOf(path).length));
    else this.#flip(node, path);
    story.count(isDown ? "rot in a stopped node" : "rot under a node that runs");
    story.note(() => `node ${node.nodeId}: ${path} rots, ${["bits", "gone", "cut"][kind] ?? ""}`);
    return true;
  }

  #flip({ disk }: SimNode, path: string): void {
    const bytes = disk.bytesOf(path);
    for (let count = this.#prng.between(1, FLIPS_MAX); count > 0; count--) {
      const at = this.#prng.below(bytes.length);
      const before = disk.bytesOf(path)[at] ?? 0;
      disk.damage(path, at, Uint8Array.of(before ^ (1 << this.#prng.below(8))));
    }
  }
}

/** As its log knew them when it ran: all that are sealed and followed by one that is begun. */
function openSealedOf(node: SimNode): string[] {
  const log = node.life?.replica.log;
  if (!(log instanceof SegmentLogStore) || !log.isOpen()) return [];
  return log.sealed.ids().map((id) => pathOf(node, id));
}

/** Of a node that is down: what is neither the last that is begun nor made ahead, for sure. */
function sealedOf(node: SimNode): string[] {
  return node
    .files()
    .filter((path) => path.endsWith(".log"))
    .toSorted()
    .slice(1, -2);
}

function pathOf(node: SimNode, id: number): string {
  return `${node.directory}/group-0/log/${id.toString(16).padStart(16, "0")}.log`;
}
