/** Starts nodes again, ends those that have failed, and gives a new disk to those that need one. */

import { hold } from "../engine/violation.ts";
import { type Life, namesFile, type SimNode } from "../node/sim-node.ts";
import type { World } from "../run/world.ts";

const LOOK_MS = 20;
const FAILED_MS = 100;
const SCRUB_MS = 2_000;

export class Supervisor {
  readonly #world: World;
  readonly #restartMsMax: number;
  /** Nodes that are to stay down, by id, and until when. */
  readonly #downUntil = new Map<number, number>();
  /** Nodes that nobody wants to run. */
  readonly #retired = new Set<number>();
  readonly #mustWipe = new Set<number>();
  #isHasty = false;

  constructor(world: World, restartMsMax: number) {
    this.#world = world;
    this.#restartMsMax = restartMsMax;
  }

  /** Whose disk was lost, or is to be: not a member again before it was added anew. */
  get lost(): Set<number> {
    return this.#world.lost;
  }

  start(): void {
    this.#look();
  }

  /** From now on everything is started at once. */
  hurry(): void {
    this.#isHasty = true;
    this.#downUntil.clear();
  }

  keepDown(node: SimNode, ms: number): void {
    this.#downUntil.set(node.nodeId, this.#world.queue.now() + ms);
  }

  retire(nodeId: number): void {
    this.#retired.add(nodeId);
  }

  employ(nodeId: number): void {
    this.#retired.delete(nodeId);
  }

  isRetired(nodeId: number): boolean {
    return this.#retired.has(nodeId);
  }

  /** A new disk in place of the one of a node that is down. */
  wipe(node: SimNode): void {
    this.lost.add(node.nodeId);
    this.#world.damaged.delete(node.nodeId);
    this.#world.provable.delete(node.nodeId);
    this.#world.story.count("disk replaced");
    this.#world.story.note(() => `node ${node.nodeId} gets a new disk`);
    node.wipe();
  }

  #look(): void {
    for (const node of this.#world.nodes.values()) this.#attend(node);
    this.#world.queue.after(LOOK_MS, () => {
      this.#look();
    });
  }

  #attend(node: SimNode): void {
    const { prng } = this.#world;
    const { life, nodeId } = node;
    if (life !== undefined) {
      if (!life.gate.isOver) this.#attendRunning(node, life);
      return;
    }
    if (node.isGoing || this.#retired.has(nodeId)) return;
    if (this.#mustWipe.delete(nodeId)) this.wipe(node);
    const now = this.#world.queue.now();
    const until = this.#downUntil.get(nodeId);
    if (until === undefined) {
      const delay = this.#isHasty ? 0 : prng.fraction() * this.#restartMsMax;
      this.#downUntil.set(nodeId, now + delay);
    } else if (now >= until) {
      this.#downUntil.delete(nodeId);
      if (this.#isHasty && this.#world.damaged.has(nodeId)) this.wipe(node);
      this.#start(node);
    }
  }

  #attendRunning(node: SimNode, life: Life): void {
    const { prng, damaged } = this.#world;
    // A scrub finds the damage in the end, if nothing else has.
    const isScrubbed = damaged.has(node.nodeId) && prng.chance(LOOK_MS / SCRUB_MS);
    const isEnded = life.hasFailed && prng.chance(LOOK_MS / FAILED_MS);
    if (damaged.has(node.nodeId) && (isScrubbed || this.#isHasty || life.hasFailed))
      this.#replaceLater(node);
    if (isScrubbed || isEnded || (this.#isHasty && (life.hasFailed || damaged.has(node.nodeId))))
      node.kill(prng.chance(0.4) ? "power" : "process");
  }

  #replaceLater(node: SimNode): void {
    this.#mustWipe.add(node.nodeId);
  }

  #start(node: SimNode): void {
    const { story, damaged } = this.#world;
    const { nodeId } = node;
    const ifMissing = node.isFounded ? "fail" : "join";
    const error = node.start(ifMissing);
    if (error !== undefined) {
      const isTyped = ["LogError", "SnapshotError", "ReplicaError"].includes(error.name);
      hold(isTyped && damaged.has(nodeId), "a node opens what a crash has left", () => {
        return `node ${nodeId}: ${error.stack}`;
      });
      story.count("damage found at the start");
      if (!namesFile(error)) story.count(`damage found, no file named: ${error.message}`);
      story.note(() => `node ${nodeId} is refused: ${error.message}`);
      this.#replaceLater(node);
    } else if (this.#world.forgetful.delete(nodeId)) {
      // Damage in the last write before a crash passes for a torn one: a documented limit.
      story.count("damage taken for a torn write");
      this.#replaceLater(node);
      node.kill("process");
    }
  }
}
