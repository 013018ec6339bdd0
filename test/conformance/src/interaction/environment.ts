/** The group that a script plays with: its nodes, and the network between them. */

import {
  EMPTY_CONFIGURATION,
  isVoter,
  type Member,
  type Message,
  type NodeId,
  type RaftOptions,
  type Snapshot,
} from "@quorumlog/raft";
import { Prng } from "@quorumlog/std";
import { CommandError } from "../arguments.ts";
import { INCARNATION } from "../member-changes.ts";
import { describeEnvelope, ROLES } from "./describe.ts";
import { type Envelope, envelopeName, isLocal, messageEnvelope } from "./envelope.ts";
import { Invariants } from "./invariants.ts";
import { ScriptedNode } from "./node.ts";
import { Output } from "./output.ts";

/** Where a group starts: the state that all of its first nodes share. */
export interface Bootstrap {
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
  readonly index: number;
  readonly content: string;
}

export interface Recipient {
  readonly id: NodeId;
  readonly isDropped: boolean;
}

/** Which messages a delivery is about; all of them where a part is left out. */
export interface MessageFilter {
  readonly name?: string | undefined;
  readonly from?: readonly NodeId[] | undefined;
  /** No more than this to each recipient, oldest first. */
  readonly countMax?: number | undefined;
}

/** More rounds than any group needs that comes to rest at all. */
const ROUNDS_MAX = 10_000;

/** The refusals that tell of a broken peer, or of a broken script. */
const TOLD: ReadonlySet<string> = new Set([
  "malformed",
  "misaddressed",
  "stale-incarnation",
  "contradiction",
  "overloaded",
]);

export class Environment {
  readonly output: Output = new Output();
  readonly #nodes: ScriptedNode[] = [];
  readonly #invariants = new Invariants();
  /** In flight, oldest first. */
  #envelopes: Envelope[] = [];

  get nodes(): readonly ScriptedNode[] {
    return this.#nodes;
  }

  /** @throws {@link CommandError} if there is no such node. */
  node(id: NodeId): ScriptedNode {
    const node = this.#nodes[id - 1];
    if (node === undefined) throw new CommandError(`there is no node ${id}`);
    return node;
  }

  /** Adds nodes under the next free ids; without a bootstrap, they know of no group. */
  addNodes(count: number, options: RaftOptions, bootstrap: Bootstrap | undefined): void {
    const snapshot = bootstrap === undefined ? undefined : bootstrapSnapshot(bootstrap);
    for (let i = 0; i < count; i++) {
      const id = this.#nodes.length + 1;
      this.#nodes.push(new ScriptedNode({ id, options, snapshot, output: this.output }));
    }
  }

  processReady(id: NodeId): void {
    this.node(id).processReady((envelopes) => this.#envelopes.push(...envelopes));
  }

  processAppend(id: NodeId): void {
    this.#envelopes.push(...this.#running(id).processAppend());
  }

  processApply(id: NodeId): void {
    this.#envelopes.push(...this.#running(id).processApply());
  }

  /**
   * Delivers what waits for each recipient, in order, or loses it.
   *
   * @returns how many messages there were.
   */
  deliver(recipients: readonly Recipient[], filter: MessageFilter = {}): number {
    let count = 0;
    for (const recipient of recipients) {
      // What is on its way to a node that is down waits for it.
      const isDown = this.#nodes[recipient.id - 1]?.isUp === false;
      if (isDown && !recipient.isDropped) throw new CommandError(`node ${recipient.id} is down`);
      const taken = this.#take((envelope) => {
        if (envelope.to !== recipient.id || !isWanted(envelope, filter)) return false;
        return !recipient.isDropped || !isLocal(envelope);
      }, filter.countMax);
      count += taken.length;
      for (const envelope of taken) {
        const prefix = recipient.isDropped ? "dropped: " : "";
        this.output.write(`${prefix}${describeEnvelope(envelope)}\n`);
        if (!recipient.isDropped) this.#step(envelope);
      }
    }
    return count;
  }

  /** Lets the given nodes work, and talk to each other, until they have nothing more to do. */
  stabilize(ids: readonly NodeId[]): void {
    const nodes = ids.length === 0 ? this.#nodes : ids.map((id) => this.node(id));
    const running = nodes.filter((node) => node.isUp);
    for (let round = 0; round < ROUNDS_MAX; round++) if (!this.#round(running)) return;
    throw new CommandError(`no rest after ${ROUNDS_MAX} rounds`);
  }

  /** Puts a message on the network as if node `message.from` had sent it. */
  send(message: Message): void {
    const envelope = messageEnvelope(message);
    this.#envelopes.push(envelope);
    this.output.write(describeEnvelope(envelope));
  }

  /** Doubles every message on the network (to `id`, if given); the copies arrive last. */
  duplicate(id: NodeId | undefined): void {
    const copies = this.#envelopes.filter((envelope) => this.#isOnNetwork(envelope, id));
    this.#envelopes.push(...copies);
    this.#print("duplicated: ", copies);
  }

  /** Shuffles the messages on the network (to `id`, if given) among their places. */
  reorder(seed: number, id: NodeId | undefined): void {
    const places = [...this.#envelopes.keys()].filter((at) =>
      this.#isOnNetwork(this.#envelopes[at] as Envelope, id),
    );
    const moved = places.map((at) => this.#envelopes[at] as Envelope);
    new Prng(seed).shuffle(moved);
    for (const [i, at] of places.entries()) this.#envelopes[at] = moved[i] as Envelope;
    this.#print("", moved);
  }

  crash(id: NodeId, persistedCount: number): void {
    this.#running(id).crash(persistedCount);
    // What the node said to itself dies with it; what others sent is still on its way.
    this.#take((envelope) => envelope.to === id && isLocal(envelope));
  }

  /** The first broken promise of Raft that can be seen from outside; `undefined` if none is. */
  brokenInvariant(): string | undefined {
    return this.#invariants.check(this.#nodes);
  }

  /** One line on each node, by its own view. */
  describeState(): string {
    return this.#nodes
      .map((node) => {
        if (!node.isUp) return `${node.id}: down\n`;
        const { role, configuration, currentTerm, leaderId } = node.core.status();
        const voter = isVoter(configuration, node.id) ? "(Voter)" : "(Non-Voter)";
        return `${node.id}: ${ROLES[role]} ${voter} Term:${currentTerm} Lead:${leaderId ?? 0}\n`;
      })
      .join("");
  }

  /** Whether any of the nodes had something to do. */
  #round(nodes: readonly ScriptedNode[]): boolean {
    let isActive = false;
    const act = (header: string, work: () => void): void => {
      isActive = true;
      this.output.write(`> ${header}\n`);
      this.output.indented(work);
    };
    for (const node of nodes)
      if (node.core.hasReady()) act(`${node.id} handling Ready`, () => this.processReady(node.id));
    for (const { id } of nodes)
      if (this.#envelopes.some((envelope) => envelope.to === id))
        act(`${id} receiving messages`, () => this.deliver([{ id, isDropped: false }]));
    for (const node of nodes)
      if (node.hasAppendWork)
        act(`${node.id} processing append thread`, () => {
          while (node.hasAppendWork) this.processAppend(node.id);
        });
    for (const node of nodes)
      if (node.hasApplyWork)
        act(`${node.id} processing apply thread`, () => {
          while (node.hasApplyWork) this.processApply(node.id);
        });
    return isActive;
  }

  #step(envelope: Envelope): void {
    const { core } = this.node(envelope.to);
    switch (envelope.kind) {
      case "message": {
        const dropped = core.step(envelope.message);
        if (dropped === "not-a-member") this.output.write("raft: cannot step as peer not found\n");
        else if (dropped !== undefined && TOLD.has(dropped))
          this.output.write(`raft: message refused: ${dropped}\n`);
        return;
      }
      case "appendDone":
        core.onAppendDone(envelope.done);
        return;
      case "applyDone":
        core.onApplyDone(envelope.done);
        return;
    }
  }

  #running(id: NodeId): ScriptedNode {
    const node = this.node(id);
    if (!node.isUp) throw new CommandError(`node ${id} is down`);
    return node;
  }

  #isOnNetwork(envelope: Envelope, to: NodeId | undefined): boolean {
    return !isLocal(envelope) && (to === undefined || envelope.to === to);
  }

  /** Removes the first envelopes that match, and returns them in order. */
  #take(matches: (envelope: Envelope) => boolean, countMax = Infinity): Envelope[] {
    const taken: Envelope[] = [];
    const left: Envelope[] = [];
    for (const envelope of this.#envelopes)
      (taken.length < countMax && matches(envelope) ? taken : left).push(envelope);
    this.#envelopes = left;
    return taken;
  }

  #print(prefix: string, envelopes: readonly Envelope[]): void {
    if (envelopes.length === 0) this.output.write("no messages\n");
    for (const envelope of envelopes) this.output.write(`${prefix}${describeEnvelope(envelope)}\n`);
  }
}

function isWanted(envelope: Envelope, { name, from }: MessageFilter): boolean {
  if (name !== undefined && envelopeName(envelope) !== name) return false;
  const sender = envelope.kind === "message" ? envelope.message.from : envelope.to;
  return from === undefined || from.includes(sender);
}

function bootstrapSnapshot({ voters, learners, index, content }: Bootstrap): Snapshot {
  return {
    lastIncludedIndex: index,
    lastIncludedTerm: 1,
    configuration: {
      ...EMPTY_CONFIGURATION,
      voters: members(voters),
      learners: members(learners),
    },
    data: new TextEncoder().encode(content),
  };
}

function members(ids: readonly NodeId[]): Member[] {
  return ids.toSorted((a, b) => a - b).map((id) => ({ id, incarnation: INCARNATION }));
}
