/** A NameServer, three brokers and a client, each a process but the first, for one measurement. */

import type { Admin } from "@quorumlog/client";
import { ForkedNode } from "../forked-node.ts";
import type { NodeUsage } from "./broker-node.ts";
import { BrokerServers } from "./broker-servers.ts";
import type { BenchTls } from "./server-tls.ts";
import type { ClientAnswer, ClientConfig, ClientRequest } from "./client-process.ts";

type ClientProcess = ForkedNode<ClientRequest, ClientAnswer>;

export class BrokerCluster {
  readonly client: ClientProcess;
  readonly #servers: BrokerServers;

  private constructor(servers: BrokerServers, client: ClientProcess) {
    this.#servers = servers;
    this.client = client;
  }

  static async start(folder: string, tls?: BenchTls): Promise<BrokerCluster> {
    const servers = await BrokerServers.start(folder, { tls });
    const config: ClientConfig = { nameServer: servers.nameServerAddress, tls };
    const file = new URL("./client-process.js", import.meta.url);
    const client: ClientProcess = new ForkedNode(file, config);
    await client.nextAnswer();
    return new BrokerCluster(servers, client);
  }

  get admin(): Admin {
    return this.#servers.admin;
  }

  /** As `host:port`. */
  get nameServerAddress(): string {
    return this.#servers.nameServerAddress;
  }

  /** Ends all brokers by SIGKILL, and starts them again; returns when each of them serves. */
  restartAll(): Promise<void> {
    return this.#servers.restartAll();
  }

  /** The leader first. */
  usage(): Promise<NodeUsage[]> {
    return this.#servers.usage();
  }

  async stop(): Promise<void> {
    this.client.signal("SIGKILL");
    await this.#servers.stop();
  }
}
