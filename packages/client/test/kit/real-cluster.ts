/** A NameServer and a broker group of three: real ports, a network in memory between the nodes. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Broker, type BrokerOptions } from "@quorumlog/broker";
import { NameServer } from "@quorumlog/nameserver";
import { nodeEnvironment } from "@quorumlog/replica";
import { Prng } from "@quorumlog/std";
import type { Transport } from "@quorumlog/transport";
import { MemoryNetwork } from "@quorumlog/transport/testing";
import { onTestFinished } from "vitest";

const NODE_IDS = [1, 2, 3];

export class RealCluster {
  readonly nameServer: NameServer;
  readonly #folder: string = mkdtempSync(join(tmpdir(), "quorumlog-client-"));
  readonly #network = new MemoryNetwork({ scheduler: nodeEnvironment, prng: new Prng(1) });
  readonly #nodes = new Map<number, { readonly broker: Broker; readonly transport: Transport }>();

  readonly #more: Partial<BrokerOptions>;

  private constructor(nameServer: NameServer, more: Partial<BrokerOptions>) {
    this.nameServer = nameServer;
    this.#more = more;
  }

  /** For one test: all of it is gone when that is over. */
  static async open(more: Partial<BrokerOptions> = {}): Promise<RealCluster> {
    const nameServer = await NameServer.open({ listen: "127.0.0.1:0" });
    const cluster = new RealCluster(nameServer, more);
    onTestFinished(async () => {
      await Promise.all(NODE_IDS.map((nodeId) => cluster.kill(nodeId)));
      await nameServer.close();
      rmSync(cluster.#folder, { recursive: true, force: true });
    });
    await Promise.all(NODE_IDS.map((nodeId) => cluster.start(nodeId)));
    await cluster.leaderId();
    return cluster;
  }

  get nameServers(): string[] {
    return [this.nameServer.address];
  }

  async start(nodeId: number): Promise<void> {
    const transport = this.#network.transport({ nodeId, incarnation: 1 });
    const broker = await Broker.open({
      listen: "127.0.0.1:0",
      nameServers: this.nameServers,
      ...this.#more,
      replica: {
        directory: join(this.#folder, `node-${nodeId}`),
        clusterId: "test",
        nodeId,
        peers: Object.fromEntries(NODE_IDS.map((id) => [id, `node-${id}:1`])),
        transport,
        ifMissing: "found",
        tuning: { segmentBytes: 1024 * 1024 },
      },
      onDefect: (error) => {
        throw error;
      },
    });
    this.#nodes.set(nodeId, { broker, transport });
  }

  /** As kill -9: nothing is handed over, and nothing more is sent. */
  async kill(nodeId: number): Promise<void> {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) return;
    this.#nodes.delete(nodeId);
    await new Promise<void>((resolve) => {
      node.transport.close(resolve);
    });
    await node.broker.group.replica.close({ handOver: false });
    await node.broker.close();
  }

  async leaderId(): Promise<number> {
    for (;;) {
      for (const [nodeId, { broker }] of this.#nodes)
        if (broker.group.isLeader && broker.group.machine.metadata.groups().length > 0)
          return nodeId;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
