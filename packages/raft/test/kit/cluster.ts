/**
 * Several nodes and a network of arrays: first sent, first delivered, one message at a time, in the
 * order of node ids, until nobody has anything to say. Links can be cut, types of message lost.
 */

import type { Message, MessageType, NodeId } from "../../src/index.ts";
import { configurationOf, type Roles } from "./members.ts";
import { type NodeInit, TestNode } from "./node.ts";

export type ClusterInit = Omit<NodeInit, "id" | "configuration" | "seed"> & {
  /** Default: voters 1, 2 and 3. */
  readonly roles?: Roles;
  /** What is different on one node. */
  readonly each?: Readonly<Record<number, Omit<NodeInit, "id">>>;
};

export class Cluster {
  readonly nodes: readonly TestNode[];
  /** Everything that was delivered, oldest first. */
  readonly delivered: Message[] = [];
  readonly #cut = new Set<string>();
  readonly #lost = new Set<MessageType>();

  constructor(init: ClusterInit = {}) {
    const { roles = { voters: [1, 2, 3] }, each = {}, ...common } = init;
    const configuration = configurationOf(roles);
    const all = [...roles.voters, ...(roles.votersOutgoing ?? []), ...(roles.learners ?? [])];
    const list = [...new Set(all)].sort((a, b) => a - b);
    this.nodes = list.map((id) => new TestNode({ configuration, ...common, ...each[id], id }));
  }

  node(id: NodeId): TestNode {
    const node = this.nodes.find((candidate) => candidate.id === id);
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  /** The only leader of the highest term that has one. */
  leader(): TestNode {
    const leaders = this.nodes.filter(({ role }) => role === "leader");
    leaders.sort((a, b) => b.term - a.term);
    const [first] = leaders;
    if (first === undefined) throw new Error("nobody leads");
    return first;
  }

  roles(): string[] {
    return this.nodes.map(({ role }) => role);
  }

  /** Both directions of the link are dead. */
  cut(a: NodeId, b: NodeId): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  cutOneWay(from: NodeId, to: NodeId): void {
    this.#cut.add(`${from}>${to}`);
  }

  isolate(id: NodeId): void {
    for (const other of this.nodes) if (other.id !== id) this.cut(id, other.id);
  }

  lose(type: MessageType): void {
    this.#lost.add(type);
  }

  heal(): void {
    this.#cut.clear();
    this.#lost.clear();
  }

  /** Delivers what nodes say until nobody says anything. */
  deliver(): void {
    for (let round = 0; round < 1000; round++) {
      let isQuiet = true;
      for (const node of this.nodes)
        for (const message of node.settle()) {
          isQuiet = false;
          this.#pass(message);
        }
      if (isQuiet) return;
    }
    throw new Error("the nodes never fall silent");
  }

  /** Has `id` campaign, and lets everybody react. */
  campaign(id: NodeId): void {
    this.node(id).core.campaign();
    this.deliver();
  }

  propose(id: NodeId, ...texts: readonly string[]): void {
    this.node(id).propose(...texts);
    this.deliver();
  }

  /** Time passes on one node, one tick after the other, and everybody reacts to each. */
  tick(id: NodeId, count = 1): void {
    for (let i = 0; i < count; i++) {
      this.node(id).core.tick();
      this.deliver();
    }
  }

  tickAll(count = 1): void {
    for (let i = 0; i < count; i++) {
      for (const { core } of this.nodes) core.tick();
      this.deliver();
    }
  }

  #pass(message: Message): void {
    if (this.#lost.has(message.type)) return;
    if (this.#cut.has(`${message.from}>${message.to}`)) return;
    const target = this.nodes.find(({ id }) => id === message.to);
    if (target === undefined) return;
    this.delivered.push(message);
    target.core.step(message);
  }
}
