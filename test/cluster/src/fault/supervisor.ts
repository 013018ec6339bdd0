/** Starts nodes again, ends those that have failed, and gives a new disk to those that need one. */

import { hold } from "../engine/violation.ts";
import { type Life, namesFile, type SimNode } from "../node/sim-node.ts";
import type { World } from "../run/world.ts";

const LOOK_MS = 20;
const FAILED_MS = 100;
const SCRUB_MS = 2_000;
const MENDED_MS = 5_000;
/** A disk that took no new file takes the next one; what nobody has any more is gone. */
const VAIN_REPAIRS_MAX = 2;
/** Of half a second and more each: beyond all faults. */
const VAIN_ROUNDS_MAX = 40;

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
    this.#world.rotten.delete(node.nodeId);
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
    const refusal = this.#world.refused.get(nodeId);
    if (refusal !== undefined) this.#onRefused(node, refusal);
    // Whoever was removed may say for ever that it has not got so far.
    if (node.isGoing && (this.#world.vainRounds.get(nodeId) ?? 0) >= VAIN_ROUNDS_MAX)
      this.#giveUp(node);
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
    const { prng, damaged, rotten, queue } = this.#world;
    if ((this.#world.vainRepairs.get(node.nodeId) ?? 0) >= VAIN_REPAIRS_MAX) {
      this.#giveUp(node);
      return;
    }
    // Read through several times since, in this life: what is damaged is nothing the log holds.
    const since = Math.max(rotten.get(node.nodeId) ?? 0, life.startedAt);
    const isSound = !life.hasFailed && life.replica.isOpen() && !life.replica.care.isDamaged();
    if (isSound && queue.now() - since > MENDED_MS) rotten.delete(node.nodeId);
    // A scrub finds the damage in the end, if nothing else has.
    const isScrubbed = damaged.has(node.nodeId) && prng.chance(LOOK_MS / SCRUB_MS);
    const isEnded = life.hasFailed && prng.chance(LOOK_MS / FAILED_MS);
    if (damaged.has(node.nodeId) && (isScrubbed || this.#isHasty || life.hasFailed))
      this.#replaceLater(node);
    if (isScrubbed || isEnded || (this.#isHasty && (life.hasFailed || damaged.has(node.nodeId))))
      node.kill(prng.chance(0.4) ? "power" : "process");
  }

  /** It has not applied what it lacks, and the others have trimmed that meanwhile. */
  #giveUp(node: SimNode): void {
    this.#world.story.count("rot beyond repair");
    this.#world.story.note(() => `node ${node.nodeId} is beyond repair`);
    this.lost.add(node.nodeId);
    this.#replaceLater(node);
    node.kill("process");
  }

  #onRefused(node: SimNode, error: Error): void {
    const { story, damaged, rotten, refused } = this.#world;
    const { nodeId } = node;
    const isTyped = ["LogError", "SnapshotError", "ReplicaError"].includes(error.name);
    const isDamaged = damaged.has(nodeId) || rotten.has(nodeId);
    hold(isTyped && isDamaged, "a node opens what a crash has left", () => {
      return `node ${nodeId}: ${error.stack}`;
    });
    refused.delete(nodeId);
    story.count(rotten.delete(nodeId) ? "rot beyond repair" : "damage found at the start");
    if (!namesFile(error)) story.count(`damage found, no file named: ${error.message}`);
    story.note(() => `node ${nodeId} is refused: ${error.message}`);
    this.lost.add(nodeId);
    this.#replaceLater(node);
  }

  #replaceLater(node: SimNode): void {
    this.#mustWipe.add(node.nodeId);
  }

  #start(node: SimNode): void {
    const { story } = this.#world;
    const { nodeId } = node;
    const ifMissing = node.isFounded ? "fail" : "join";
    const error = node.start(ifMissing);
    if (error !== undefined) {
      this.#onRefused(node, error);
    } else if (this.#world.forgetful.delete(nodeId)) {
      // Damage in the last write before a crash passes for a torn one: a documented limit.
      story.count("damage taken for a torn write");
      this.#replaceLater(node);
      node.kill("process");
    }
  }
}
