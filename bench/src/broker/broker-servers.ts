/**
 * A NameServer and the brokers of one or more broker groups, each broker a process, for one
 * measurement; and an admin of theirs. They end, and their folder goes, however this process ends
 * by itself.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Admin } from "@quorumlog/client";
import { NameServer } from "@quorumlog/nameserver";
import { ForkedNode } from "../forked-node.ts";
import { freePorts } from "../free-ports.ts";
import { liveFolders, liveServers } from "../peers/leftovers.ts";
import type { BrokerNodeConfig, NodeUsage } from "./broker-node.ts";
import { type BenchTls, serverTlsOf } from "./server-tls.ts";

type NodeProcess = ForkedNode<{ readonly type: "usage" }, NodeUsage>;

export interface ServersShape {
  /** Of a group; default 3. */
  readonly nodeCount?: number;
  /** Broker groups; default 1. */
  readonly groupCount?: number;
  /** Nothing is trimmed; default: each node's log is kept at 2 GiB. */
  readonly keepsAll?: boolean;
  /** On every port; default none. */
  readonly tls?: BenchTls | undefined;
}

const NODE_FILE = new URL("./broker-node.js", import.meta.url);
const NODE_COUNT = 3;
/** A group has its node ids to itself. */
const NODE_IDS_OF_GROUP = 10;
const JOIN_MS = 30_000;

export class BrokerServers {
  readonly admin: Admin;
  readonly #directory: string;
  readonly #nameServer: NameServer;
  readonly #configs: readonly BrokerNodeConfig[];
  #nodes: readonly NodeProcess[];

  private constructor(init: {
    readonly admin: Admin;
    readonly directory: string;
    readonly nameServer: NameServer;
    readonly configs: readonly BrokerNodeConfig[];
    readonly nodes: readonly NodeProcess[];
  }) {
    this.admin = init.admin;
    this.#directory = init.directory;
    this.#nameServer = init.nameServer;
    this.#configs = init.configs;
    this.#nodes = init.nodes;
  }

  /** @returns when each node serves, and each group is part of the cluster. */
  static async start(folder: string, shape: ServersShape = {}): Promise<BrokerServers> {
    const { tls } = shape;
    const directory = mkdtempSync(join(folder, "broker-"));
    liveFolders.add(directory);
    const serverTls = tls && { tls: serverTlsOf(tls) };
    const nameServer = await NameServer.open({ listen: "127.0.0.1:0", ...serverTls }, { onDefect });
    const address = `127.0.0.1:${nameServer.port}`;
    const configs = await configsOf(shape, directory, address);
    const nodes = startAll(configs);
    await Promise.all(nodes.map((node) => node.nextAnswer()));
    const admin = await Admin.open({ nameServers: [address], ...(tls && { tls }) });
    const { groupCount = 1 } = shape;
    const deadline = performance.now() + JOIN_MS;
    while (admin.cluster().groups.length < groupCount)
      await admin.clusterChange({ timeoutMs: Math.max(1, deadline - performance.now()) });
    return new BrokerServers({ admin, directory, nameServer, configs, nodes });
  }

  /** As `host:port`. */
  get nameServerAddress(): string {
    return `127.0.0.1:${this.#nameServer.port}`;
  }

  /** Ends all brokers by SIGKILL, and starts them again; returns when each of them serves. */
  async restartAll(): Promise<void> {
    await this.#killAll();
    this.#nodes = startAll(this.#configs);
    await Promise.all(this.#nodes.map((node) => node.nextAnswer()));
  }

  /** Leaders first. */
  async usage(): Promise<NodeUsage[]> {
    const usages = await Promise.all(this.#nodes.map((node) => node.ask({ type: "usage" })));
    return usages.toSorted((a, b) => Number(b.isLeader) - Number(a.isLeader));
  }

  async stop(): Promise<void> {
    await this.admin.close();
    await this.#killAll();
    await this.#nameServer.close();
    rmSync(this.#directory, { recursive: true, force: true });
    liveFolders.delete(this.#directory);
  }

  async #killAll(): Promise<void> {
    for (const node of this.#nodes) node.signal("SIGKILL");
    await Promise.all(this.#nodes.map((node) => node.ended()));
    for (const { pid } of this.#nodes) liveServers.delete(pid);
  }
}

async function configsOf(
  { nodeCount = NODE_COUNT, groupCount = 1, keepsAll = false, tls }: ServersShape,
  directory: string,
  nameServer: string,
): Promise<BrokerNodeConfig[]> {
  const configs: BrokerNodeConfig[] = [];
  for (let group = 0; group < groupCount; group++) {
    const ports = await freePorts(nodeCount);
    const idOf = (at: number): number => group * NODE_IDS_OF_GROUP + at + 1;
    const peers = Object.fromEntries(ports.map((port, at) => [idOf(at), `127.0.0.1:${port}`]));
    for (const at of ports.keys()) {
      const nodeId = idOf(at);
      const place = { groupId: group + 1, nodeId, directory: join(directory, `${nodeId}`) };
      configs.push({ ...place, nameServer, peers, keepsAll, tls });
    }
  }
  return configs;
}

function startAll(configs: readonly BrokerNodeConfig[]): NodeProcess[] {
  const nodes = configs.map((config): NodeProcess => new ForkedNode(NODE_FILE, config));
  for (const { pid } of nodes) if (pid !== 0) liveServers.add(pid);
  return nodes;
}

function onDefect(error: unknown): void {
  throw error;
}
