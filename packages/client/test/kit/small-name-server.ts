/** A NameServer that says what a test tells it, on a real port. */

import { NAME_SERVER_SERVICE, RpcServer } from "@quorumlog/protocol";
import type { Cluster, Topic } from "@quorumlog/protocol/messages";
import type { SmallGroup } from "./small-group.ts";

export class SmallNameServer {
  readonly #server: RpcServer;
  readonly #watchers = new Set<{ write(cluster: Cluster.$Properties): unknown }>();
  #cluster: Cluster.$Properties = { clusterId: "c", groups: [], metadata: { version: 0 } };

  constructor(listen = "127.0.0.1:0") {
    this.#server = new RpcServer({
      listen,
      onDefect: (error) => {
        throw error;
      },
    });
    this.#server.handle(NAME_SERVER_SERVICE, {
      register: {
        duplex: (call) => {
          call.end();
        },
      },
      watchCluster: {
        serverStream: (call) => {
          this.#watchers.add(call);
          call.on("close", () => this.#watchers.delete(call));
          call.on("cancelled", () => this.#watchers.delete(call));
          call.on("error", () => undefined);
          call.write(this.#cluster);
        },
      },
      getCluster: { unary: () => this.#cluster },
    });
  }

  async open(): Promise<string> {
    await this.#server.open();
    return this.address;
  }

  get address(): string {
    return `127.0.0.1:${this.#server.port}`;
  }

  tell(groups: readonly SmallGroup[], topics: Topic.$Properties[], version: number): void {
    this.#cluster = {
      clusterId: "c",
      groups: groups.map((group) => ({
        groupId: group.groupId,
        name: `broker-${group.groupId}`,
        term: group.term,
        leaderNodeId: group.leaderNodeId,
        nodes: [...group.nodes.keys()].map((nodeId) => ({
          nodeId,
          address: group.address(nodeId),
          isVoter: true,
        })),
      })),
      metadata: { version, topics },
    };
    for (const watcher of this.#watchers) watcher.write(this.#cluster);
  }

  close(): Promise<void> {
    return this.#server.close(0);
  }
}
