/** Nodes that found a group, on virtual time: their disks, their processes, and who has begun. */

import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng, SlabPool } from "@quorumlog/std";
import { MemoryNetwork, VirtualTime } from "@quorumlog/transport/testing";
import type { Environment } from "../../src/environment.ts";
import { FoundingAgreement, type FoundingResult } from "../../src/founding-agreement.ts";
import { foundingDigest } from "../../src/founding.ts";
import { foundingOf, type NodeIdentity, readNodeIdentity } from "../../src/node-directory.ts";
import { type GroupPlace, openGroup, type OpenGroup, openNode } from "../../src/open-group.ts";
import { parseTuning } from "../../src/replica-options.ts";

const WALL_MS = 1_700_000_000_000;
const TUNING = parseTuning({ segmentBytes: 65_536 });
/** Operations of the disk that a fault may wait for: noting something takes five. */
const FAULT_COUNTDOWN_MAX = 12;
const CALLBACK_MS = 0.5;

interface Process {
  isOver: boolean;
  agreement: FoundingAgreement | undefined;
  group: OpenGroup | undefined;
}

export interface FoundingNode {
  readonly nodeId: number;
  disk: MemoryFileSystem;
  process: Process | undefined;
  /** What its last process was refused with. */
  error: Error | undefined;
  /** Operations until the disk fails, and the process ends. */
  countdown: number;
  /** How its process ends when something has failed. */
  crash: "process" | "power";
}

export class FoundingWorld {
  readonly time: VirtualTime = new VirtualTime();
  readonly network: MemoryNetwork;
  readonly nodes: readonly FoundingNode[];
  readonly prng: Prng;
  /** The sets of lives that any process has begun with. */
  readonly begun: Set<string> = new Set();
  readonly #addresses: ReadonlyMap<number, string>;
  readonly #memory: SlabPool = new SlabPool();

  constructor(nodes: number, seed: number) {
    this.prng = new Prng(seed);
    const ids = Array.from({ length: nodes }, (_, i) => i + 1);
    this.#addresses = new Map(ids.map((id) => [id, `node-${id}:1`]));
    this.network = new MemoryNetwork({ scheduler: this.time, prng: this.prng.fork() });
    this.nodes = ids.map((nodeId) => {
      const disk = this.#newDisk();
      return { nodeId, disk, process: undefined, error: undefined, countdown: 0, crash: "power" };
    });
  }

  node(nodeId: number): FoundingNode {
    return this.nodes[nodeId - 1] as FoundingNode;
  }

  start(nodeId: number): void {
    const node = this.node(nodeId);
    const process: Process = { isOver: false, agreement: undefined, group: undefined };
    node.process = process;
    node.error = undefined;
    node.disk.fault = () => {
      if (process.isOver && node.process === process) return new Error("the process has ended");
      if (node.countdown === 0) return undefined;
      node.countdown -= 1;
      return node.countdown === 0 ? new Error("the disk has failed") : undefined;
    };
    const environment = this.#environment(process);
    const place: GroupPlace = {
      directory: `/node-${nodeId}`,
      clusterId: "c",
      nodeId,
      groupId: 0,
      ifMissing: "found",
      foundersAgree: true,
      fileSystem: node.disk,
      environment,
    };
    this.#attempt(node, process, () => {
      const identity = openNode(place);
      const transport = this.network.transport({ nodeId, incarnation: identity.incarnation });
      if (identity.groupIds.includes(0)) {
        this.#open(process, { place, identity, transport, founding: undefined });
        return;
      }
      process.agreement = new FoundingAgreement({
        groupId: 0,
        identity,
        addresses: this.#addresses,
        transport,
        environment,
        fileSystem: node.disk,
        directory: place.directory,
        onEvent: () => undefined,
        onAgreed: (founding) => {
          if (founding.kind === "founder") this.begun.add(foundingDigest(founding.founders));
          environment.after(CALLBACK_MS, () => {
            this.#attempt(node, process, () => {
              this.#open(process, { place, identity, transport, founding });
            });
          });
        },
        onRefused: (error) => {
          this.#refuse(node, process, error);
        },
      });
    });
  }

  /** Ends a process; `power`: what it had not synced may be lost. */
  kill(nodeId: number, kind: "process" | "power"): void {
    const node = this.node(nodeId);
    const { process } = node;
    if (process === undefined) return;
    process.isOver = true;
    node.process = undefined;
    node.countdown = 0;
    this.network.kill(nodeId);
    node.disk.crash(kind);
  }

  /** Replaces the disk of a node that is down by an empty one. */
  lose(nodeId: number): void {
    this.node(nodeId).disk = this.#newDisk();
  }

  /** Lets the disk fail before long, in the middle of something perhaps. */
  planFault(nodeId: number): void {
    this.node(nodeId).countdown = this.prng.between(1, FAULT_COUNTDOWN_MAX);
  }

  /** Cuts both ways between two nodes, or heals them. */
  link(left: number, right: number, what: "cut" | "heal"): void {
    this.network[what](left, right);
    this.network[what](right, left);
  }

  /** Whether the node's disk holds a set of lives that it is bound to. */
  isConfirmed(nodeId: number): boolean {
    const identity = readNodeIdentity(this.node(nodeId).disk, `/node-${nodeId}`);
    return identity !== undefined && foundingOf(identity, 0) !== undefined;
  }

  leaders(): number[] {
    return this.nodes.flatMap(({ nodeId, process }) =>
      process?.group?.replica.status().role === "leader" ? [nodeId] : [],
    );
  }

  /** Everybody runs, follows one leader, and has applied what it has committed. */
  isServing(): boolean {
    const states = this.nodes.flatMap(({ process }) => process?.group?.replica.status() ?? []);
    const [first] = states;
    if (first?.leaderId === undefined || states.length < this.nodes.length) return false;
    return states.every(
      ({ leaderId, commitIndex, configuration }) =>
        leaderId === first.leaderId &&
        commitIndex === first.commitIndex &&
        configuration.voters.length === this.nodes.length,
    );
  }

  #open(
    process: Process,
    parts: {
      readonly place: GroupPlace;
      readonly identity: NodeIdentity;
      readonly transport: ReturnType<MemoryNetwork["transport"]>;
      readonly founding: FoundingResult | undefined;
    },
  ): void {
    const { place, ...rest } = parts;
    process.agreement = undefined;
    process.group = openGroup({
      ...place,
      ...rest,
      addresses: this.#addresses,
      tuning: TUNING,
      preferredLeaders: [],
      leaseReads: false,
      machine: undefined,
      onEvent: (event) => {
        if (event.type === "failed") this.#refuse(this.node(place.nodeId), process, event.error);
      },
      onTurn: () => undefined,
    });
  }

  #attempt(node: FoundingNode, process: Process, run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#refuse(node, process, error);
    }
  }

  /** Its owner ends it; what it was about to note may be on the disk, or not. */
  #refuse(node: FoundingNode, process: Process, error: Error): void {
    if (process.isOver) return;
    process.isOver = true;
    node.error = error;
    this.time.after(CALLBACK_MS, () => {
      if (node.process === process) this.kill(node.nodeId, node.crash);
    });
  }

  #newDisk(): MemoryFileSystem {
    const prng = this.prng.fork();
    const schedule = (run: () => void): void => {
      this.time.after(CALLBACK_MS, run);
    };
    return new MemoryFileSystem({ prng, schedule });
  }

  #environment(process: Process): Environment {
    const prng = this.prng.fork();
    const after = (delayMs: number, run: () => void): (() => void) =>
      this.time.after(delayMs, () => {
        if (!process.isOver) run();
      });
    return {
      now: () => this.time.now(),
      wallTime: () => WALL_MS + this.time.now(),
      after,
      soon: (run) => {
        after(0, run);
      },
      bootId: () => undefined,
      random: () => prng.uint32(),
      memory: this.#memory,
    };
  }
}
