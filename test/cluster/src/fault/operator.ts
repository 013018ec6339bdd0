/**
 * Who decides which nodes are members: brings the group there from wherever it is, one change at a
 * time, as `MembershipChanges` does it, whoever leads meanwhile.
 */

import { type ConfigurationChange, findMember, isJoint, isVoter } from "@quorumlog/raft";
import { COMMAND_KIND, type CommandDraft, recordsDraft } from "@quorumlog/replica/testing";
import type { Life, SimNode } from "../node/sim-node.ts";
import type { World } from "../run/world.ts";
import type { Supervisor } from "./supervisor.ts";

const LOOK_MS = 50;
const STEP_MS_MAX = 3_000;

export class Operator {
  readonly #world: World;
  readonly #supervisor: Supervisor;
  /** Which nodes are to be voters. */
  readonly wanted: Set<number>;
  #step: { readonly life: Life; readonly until: number; isDone: () => boolean } | undefined;
  /** Of learners, how far they have to be. */
  readonly #goals = new Map<number, number>();

  constructor(world: World, supervisor: Supervisor) {
    this.#world = world;
    this.#supervisor = supervisor;
    this.wanted = new Set(world.node(1).init.founders);
  }

  start(): void {
    this.#world.queue.after(LOOK_MS, () => {
      this.#look();
      this.start();
    });
  }

  /** The members are those that are wanted, with the disks that they have. */
  isSettled(life: Life): boolean {
    const { configuration } = life.replica.keeper;
    if (isJoint(configuration) || configuration.learners.length > 0) return false;
    if (configuration.voters.length !== this.wanted.size) return false;
    return configuration.voters.every(({ id, incarnation }) => {
      const node = this.#world.node(id);
      const isKnown = node.life === undefined || node.life.incarnation === incarnation;
      return this.wanted.has(id) && isKnown && !this.#supervisor.lost.has(id);
    });
  }

  #look(): void {
    const leader = this.#world.leader();
    const life = leader?.life;
    if (leader === undefined || life === undefined || life.gate.isPaused) return;
    const step = this.#step;
    if (step?.life === life && !step.isDone() && this.#world.queue.now() < step.until) return;
    this.#step = undefined;
    const { configuration } = life.replica.keeper;
    if (isJoint(configuration)) return;
    this.#noteReturned(life);
    for (const nodeId of this.wanted) if (this.#bring(life, this.#world.node(nodeId))) return;
    for (const { id } of [...configuration.voters, ...configuration.learners])
      if (!this.wanted.has(id) && this.#remove(life, id)) return;
  }

  /** Those that lost their disk, and are voters again with the new one. */
  #noteReturned({ replica }: Life): void {
    const { configuration } = replica.keeper;
    for (const nodeId of this.#supervisor.lost) {
      const { life } = this.#world.node(nodeId);
      const member = findMember(configuration, nodeId);
      if (life === undefined || this.#world.damaged.has(nodeId)) continue;
      if (member?.incarnation !== life.incarnation || !isVoter(configuration, nodeId)) continue;
      this.#supervisor.lost.delete(nodeId);
      this.#world.story.count("replaced node is a voter again");
    }
  }

  /** @returns whether something is under way now. */
  #bring(life: Life, node: SimNode): boolean {
    const { nodeId } = node;
    const { replica } = life;
    const { configuration } = replica.keeper;
    const member = findMember(configuration, nodeId);
    if (member === undefined) return this.#addLearner(life, node);
    const isStale = node.life !== undefined && node.life.incarnation !== member.incarnation;
    if (isStale || (!node.isFounded && this.#supervisor.lost.has(nodeId)))
      return this.#remove(life, nodeId);
    if (isVoter(configuration, nodeId)) return false;
    const goal = this.#goals.get(nodeId) ?? replica.status().commitIndex;
    this.#goals.set(nodeId, goal);
    const view = replica.progress().find(({ id }) => id === nodeId);
    if (view?.state !== "replicate" || view.matchIndex < goal) return false;
    this.#goals.delete(nodeId);
    return this.#change(life, [{ operation: "addVoter", member }]);
  }

  #addLearner(life: Life, node: SimNode): boolean {
    const { nodeId, address } = node;
    const { replica } = life;
    if (node.life === undefined || node.life.gate.isOver) return false;
    life.gate.run(() => {
      replica.peers.seek(nodeId, address);
    });
    const incarnation = replica.peers.incarnationOf(nodeId);
    if (incarnation === undefined) return false;
    if (incarnation !== node.life.incarnation) this.#world.story.count("added as it was before");
    let isKnown = false;
    this.#world.attempts.start({
      node: this.#nodeOf(life),
      draft: addressDraft(nodeId, address),
      durability: "quorum",
      timeoutMs: 1_000,
      onEnd: (end) => {
        if (end.kind !== "ok") return;
        life.gate.run(() => {
          const member = { id: nodeId, incarnation };
          isKnown = !this.#change(life, [{ operation: "addLearner", member }]);
        });
      },
    });
    this.#await(life, () => isKnown);
    return true;
  }

  #remove(life: Life, nodeId: number): boolean {
    const { replica } = life;
    const { configuration } = replica.keeper;
    const member = findMember(configuration, nodeId);
    if (member === undefined) return false;
    const own = this.#nodeOf(life).nodeId;
    if (nodeId === own) {
      // A leader that removes itself may leave the others without its last message.
      const heir = life.duties.heir(own);
      if (heir !== undefined) life.gate.run(() => void replica.transferLeadership(heir));
      return true;
    }
    return this.#change(life, [{ operation: "remove", member }]);
  }

  #change(life: Life, changes: ConfigurationChange["changes"]): boolean {
    const { replica } = life;
    let isUnderWay = false;
    life.gate.run(() => {
      if (!replica.isOpen()) return;
      const form = changes.length === 1 ? "single" : "set";
      const result = replica.proposeChange({ form, transition: "auto", changes });
      const names = changes.map(({ operation, member }) => `${operation} ${member.id}`).join(", ");
      this.#world.story.note(() => `operator: ${names}: ${result.status}`);
      this.#world.story.count(`operator ${result.status}`);
      if (result.status !== "appended") return;
      isUnderWay = true;
      const { firstIndex } = result;
      this.#await(life, () => replica.keeper.appliedIndex >= firstIndex);
    });
    return isUnderWay;
  }

  #await(life: Life, isDone: () => boolean): void {
    this.#step = { life, until: this.#world.queue.now() + STEP_MS_MAX, isDone };
  }

  #nodeOf(life: Life): SimNode {
    for (const node of this.#world.nodes.values()) if (node.life === life) return node;
    throw new RangeError("a life is of a node");
  }
}

function addressDraft(nodeId: number, address: string): CommandDraft {
  const records = [Buffer.from(address, "utf8")];
  const place = { sessionId: 0, sequence: nodeId };
  return { ...recordsDraft(records, place, 0), kind: COMMAND_KIND.address };
}
