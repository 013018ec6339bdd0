/** A broker group in one process: real ports for clients, a network in memory between its nodes. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RpcChannel } from "@quorumlog/protocol";
import type { FileSystem } from "@quorumlog/log";
import { nodeEnvironment, type ReplicaTuning } from "@quorumlog/replica";
import { Prng } from "@quorumlog/std";
import type { Transport } from "@quorumlog/transport";
import { MemoryNetwork } from "@quorumlog/transport/testing";
import { onTestFinished } from "vitest";
import { Broker, type BrokerOptions } from "../../src/index.ts";

/** How a node is started, if not as the others. */
export interface NodeStart {
  /** The newest rules that its program knows; default those of today. */
  readonly rulesVersion?: number;
  /** Default: it founds the group. */
  readonly ifMissing?: "found" | "join";
}

interface Node {
  readonly broker: Broker;
  readonly transport: Transport;
  readonly channel: RpcChannel;
}

export interface BrokerNodesOptions {
  readonly groupId?: number;
  /** The others follow. */
  readonly firstNodeId?: number;
  readonly nameServers?: readonly string[];
  readonly tuning?: Partial<ReplicaTuning>;
  /** Each node's own; default the machine's. */
  readonly fileSystemOf?: (nodeId: number) => FileSystem;
  readonly more?: Partial<BrokerOptions>;
  readonly flush?: BrokerOptions["replica"]["flush"];
  /** Default false. */
  readonly recoverFromPeers?: boolean;
  /** One way, between nodes; default 1 to 2. */
  readonly latencyMs?: { readonly min: number; readonly max: number };
}

const MIB = 1024 * 1024;

export class BrokerNodes {
  readonly #folder = mkdtempSync(join(tmpdir(), "quorumlog-broker-"));
  readonly #network: MemoryNetwork;
  readonly #nodes = new Map<number, Node>();
  readonly #ids: readonly number[];

  readonly #options: BrokerNodesOptions;

  private constructor(count: number, options: BrokerNodesOptions) {
    const { firstNodeId = 1, latencyMs = { min: 1, max: 2 } } = options;
    this.#options = options;
    const prng = new Prng(1);
    this.#network = new MemoryNetwork({ scheduler: nodeEnvironment, prng, latencyMs });
    this.#ids = Array.from({ length: count }, (_, i) => firstNodeId + i);
  }

  /** For one test: it is closed, and its disks are emptied, when that is over. */
  static async start(count: number, options: BrokerNodesOptions = {}): Promise<BrokerNodes> {
    const nodes = new BrokerNodes(count, options);
    onTestFinished(async () => {
      await Promise.all([...nodes.#nodes.keys()].map((nodeId) => nodes.kill(nodeId)));
      rmSync(nodes.#folder, { recursive: true, force: true });
    });
    await Promise.all(nodes.#ids.map((nodeId) => nodes.open(nodeId)));
    return nodes;
  }

  async open(nodeId: number, start: NodeStart = {}): Promise<void> {
    const transport = this.#network.transport({ nodeId, incarnation: 1 });
    const { groupId = 1, nameServers = [], fileSystemOf, tuning, flush, more } = this.#options;
    const { recoverFromPeers = false } = this.#options;
    const options: BrokerOptions = {
      listen: "127.0.0.1:0",
      groupId,
      groupName: `broker-${groupId}`,
      nameServers,
      replica: {
        directory: this.directory(nodeId),
        clusterId: "test",
        nodeId,
        peers: Object.fromEntries([...this.#ids, nodeId].map((id) => [id, `node-${id}:1`])),
        transport,
        ifMissing: start.ifMissing ?? "found",
        recoverFromPeers,
        tuning: { segmentBytes: MIB, ...tuning },
        ...(fileSystemOf === undefined ? {} : { fileSystem: fileSystemOf(nodeId) }),
        ...(flush === undefined ? {} : { flush }),
      },
      ...more,
      onDefect: (error) => {
        throw error;
      },
    };
    const broker = await Broker.open(options, start.rulesVersion).catch(async (error: unknown) => {
      await closed(transport);
      throw error;
    });
    const channel = new RpcChannel({ address: `127.0.0.1:${broker.port}` });
    this.#nodes.set(nodeId, { broker, transport, channel });
  }

  /** As kill -9: nothing is handed over, and nothing more is sent. */
  async kill(nodeId: number): Promise<void> {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) return;
    this.#nodes.delete(nodeId);
    await closed(node.transport);
    node.channel.close();
    await node.broker.group.replica.close({ handOver: false });
    await node.broker.close();
  }

  broker(nodeId: number): Broker {
    return this.#node(nodeId).broker;
  }

  channel(nodeId: number): RpcChannel {
    return this.#node(nodeId).channel;
  }

  /** Where its disk is. */
  directory(nodeId: number): string {
    return join(this.#folder, `node-${nodeId}`);
  }

  /** Of those that run, the one that leads and knows the metadata group's name. */
  async leaderId(): Promise<number> {
    for (;;) {
      for (const [nodeId, { broker }] of this.#nodes)
        if (broker.group.isLeader && broker.group.machine.metadata.groups().length > 0)
          return nodeId;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #node(nodeId: number): Node {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) throw new Error(`node ${nodeId} does not run`);
    return node;
  }
}

function closed(transport: Transport): Promise<void> {
  return new Promise((resolve) => {
    transport.close(resolve);
  });
}
