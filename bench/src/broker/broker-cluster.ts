/** A NameServer, three brokers and a client, each a process but the first, for one measurement. */

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Admin } from "@quorumlog/client";
import { NameServer } from "@quorumlog/nameserver";
import { ForkedNode } from "../forked-node.ts";
import { freePorts } from "../free-ports.ts";
import type { BrokerNodeConfig, NodeUsage } from "./broker-node.ts";
import { type BenchTls, serverTlsOf } from "./server-tls.ts";
import type { ClientAnswer, ClientConfig, ClientRequest } from "./client-process.ts";

type NodeProcess = ForkedNode<{ readonly type: "usage" }, NodeUsage>;
type ClientProcess = ForkedNode<ClientRequest, ClientAnswer>;

const NODE_COUNT = 3;
const NODE_FILE = new URL("./broker-node.js", import.meta.url);

export class BrokerCluster {
  readonly admin: Admin;
  readonly client: ClientProcess;
  readonly #directory: string;
  readonly #nameServer: NameServer;
  readonly #configs: readonly BrokerNodeConfig[];
  #nodes: readonly NodeProcess[];

  private constructor(init: {
    readonly admin: Admin;
    readonly client: ClientProcess;
    readonly directory: string;
    readonly nameServer: NameServer;
    readonly configs: readonly BrokerNodeConfig[];
    readonly nodes: readonly NodeProcess[];
  }) {
    this.admin = init.admin;
    this.client = init.client;
    this.#directory = init.directory;
    this.#nameServer = init.nameServer;
    this.#configs = init.configs;
    this.#nodes = init.nodes;
  }

  static async start(folder: string, tls?: BenchTls): Promise<BrokerCluster> {
    const directory = mkdtempSync(join(folder, "broker-"));
    const serverTls = tls && { tls: serverTlsOf(tls) };
    const nameServer = await NameServer.open({ listen: "127.0.0.1:0", ...serverTls }, { onDefect });
    const address = `127.0.0.1:${nameServer.port}`;
    const ports = await freePorts(NODE_COUNT);
    const peers = Object.fromEntries(ports.map((port, at) => [at + 1, `127.0.0.1:${port}`]));
    const configs = ports.map((_, at): BrokerNodeConfig => {
      const nodeId = at + 1;
      return { nodeId, directory: join(directory, `${nodeId}`), nameServer: address, peers, tls };
    });
    const nodes = configs.map((config): NodeProcess => new ForkedNode(NODE_FILE, config));
    await Promise.all(nodes.map((node) => node.nextAnswer()));
    const config: ClientConfig = { nameServer: address, tls };
    const file = new URL("./client-process.js", import.meta.url);
    const client: ClientProcess = new ForkedNode(file, config);
    await client.nextAnswer();
    const admin = await Admin.open({ nameServers: [address], ...(tls && { tls }) });
    return new BrokerCluster({ admin, client, directory, nameServer, configs, nodes });
  }

  /** As `host:port`. */
  get nameServerAddress(): string {
    return `127.0.0.1:${this.#nameServer.port}`;
  }

  /** Ends all brokers by SIGKILL, and starts them again; returns when each of them serves. */
  async restartAll(): Promise<void> {
    for (const node of this.#nodes) node.signal("SIGKILL");
    this.#nodes = this.#configs.map((config) => new ForkedNode(NODE_FILE, config));
    await Promise.all(this.#nodes.map((node) => node.nextAnswer()));
  }

  /** The leader first. */
  async usage(): Promise<NodeUsage[]> {
    const usages = await Promise.all(this.#nodes.map((node) => node.ask({ type: "usage" })));
    return usages.toSorted((a, b) => Number(b.isLeader) - Number(a.isLeader));
  }

  async stop(): Promise<void> {
    this.client.signal("SIGKILL");
    await this.admin.close();
    for (const node of this.#nodes) node.signal("SIGKILL");
    await this.#nameServer.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function onDefect(error: unknown): void {
  throw error;
}
