/** Nodes with a state machine each, on disks and a network in memory, closed with the test. */

import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng, required } from "@quorumlog/std";
import type { Transport } from "@quorumlog/transport";
import { MemoryNetwork } from "@quorumlog/transport/testing";
import { onTestFinished } from "vitest";
import {
  type Machine,
  type MachineOptions,
  nodeEnvironment,
  type RecordBatch,
  ReplicatedStateMachine,
} from "../../src/index.ts";

/** Lists what it was given, and answers with the number of each. */
export class Listing implements Machine {
  texts: string[] = [];
  /** When each was taken in, as it was told; and how many since the process began. */
  timestamps: number[] = [];
  appliedCount = 0;

  apply({ records, timestamp }: RecordBatch): readonly Uint8Array[] {
    return records.map((record) => {
      this.appliedCount += 1;
      this.timestamps.push(timestamp);
      return Buffer.from(`${this.texts.push(Buffer.from(record).toString())}`);
    });
  }

  snapshot(): Iterable<Uint8Array> {
    return [Buffer.from(JSON.stringify(this.texts))];
  }

  restore(chunks: Iterable<Uint8Array>): void {
    const text = Buffer.concat([...chunks]).toString();
    this.texts = text === "" ? [] : (JSON.parse(text) as string[]);
  }
}

export interface MachineNode {
  readonly nodeId: number;
  readonly listing: Listing;
  readonly group: ReplicatedStateMachine;
  readonly transport: Transport;
}

export interface MachineClusterInit {
  readonly retention?: MachineOptions["retention"];
  readonly flush?: MachineOptions["flush"];
  /** Around the listing of each node, for a machine that has more to it. */
  readonly around?: (listing: Listing, nodeId: number) => Machine;
}

const PEERS = { 1: "a:1", 2: "b:1", 3: "c:1" };

export class MachineCluster {
  readonly #init: MachineClusterInit;
  readonly #network = new MemoryNetwork({ scheduler: nodeEnvironment, prng: new Prng(1) });
  readonly #disks = new Map<number, MemoryFileSystem>();
  readonly #nodes = new Map<number, MachineNode>();

  private constructor(init: MachineClusterInit) {
    this.#init = init;
  }

  static async start(init: MachineClusterInit = {}): Promise<MachineCluster> {
    const cluster = new MachineCluster(init);
    onTestFinished(async () => {
      for (const nodeId of cluster.#nodes.keys()) await cluster.kill(nodeId);
    });
    await Promise.all([1, 2, 3].map((nodeId) => cluster.open(nodeId, "found")));
    return cluster;
  }

  get nodes(): readonly MachineNode[] {
    return [...this.#nodes.values()];
  }

  node(nodeId: number): MachineNode {
    return required(this.#nodes.get(nodeId), "the node runs");
  }

  async open(nodeId: number, ifMissing: "found" | "join" | "fail" = "fail"): Promise<MachineNode> {
    const { retention, flush, around } = this.#init;
    const listing = new Listing();
    const fileSystem = this.#disks.get(nodeId) ?? new MemoryFileSystem({ prng: new Prng(nodeId) });
    this.#disks.set(nodeId, fileSystem);
    const transport = this.#network.transport({ nodeId, incarnation: 1 });
    const group = await ReplicatedStateMachine.open(
      {
        directory: "/node",
        clusterId: "c",
        nodeId,
        peers: ifMissing === "join" ? { [nodeId]: `node-${nodeId}:1` } : PEERS,
        transport,
        fileSystem,
        ifMissing,
        tuning: { segmentBytes: 65_536, snapshotEveryBytes: 65_536, containerBytesMax: 4_096 },
        ...(retention === undefined ? {} : { retention }),
        ...(flush === undefined ? {} : { flush }),
      },
      around?.(listing, nodeId) ?? listing,
    );
    const node = { nodeId, listing, group, transport };
    this.#nodes.set(nodeId, node);
    return node;
  }

  async kill(nodeId: number): Promise<void> {
    const { group, transport } = this.node(nodeId);
    this.#nodes.delete(nodeId);
    await new Promise<void>((resolve) => {
      transport.close(resolve);
    });
    await group.close({ handOver: false });
  }

  async leader(): Promise<MachineNode> {
    for (;;) {
      const found = this.nodes.find(({ group }) => group.status().role === "leader");
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Executes so many commands of 4 KiB, one by one in the log. @returns them. */
  async fill(count: number): Promise<string[]> {
    const { group, listing } = await this.leader();
    const from = listing.texts.length;
    const texts = Array.from({ length: count }, (_, i) => `${from + i} `.padEnd(4_000, "x"));
    for (const text of texts) await group.execute(Buffer.from(text));
    return texts;
  }
}
