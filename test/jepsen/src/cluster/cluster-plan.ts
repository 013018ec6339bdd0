/** Where everything of a cluster is: ports, who dials them, and folders. */

import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "@quorumlog/transport/testing";
import type { LinkPlan } from "../links/links.ts";
import type { NameServerPlace, Place } from "../links/way.ts";

interface NodePlan {
  readonly nodeId: number;
  readonly peerPort: number;
  readonly clientPort: number;
}

const TOKEN_BYTES = 24;

export class ClusterPlan {
  readonly token: string = randomBytes(TOKEN_BYTES).toString("hex");
  readonly nodes: readonly NodePlan[];
  readonly #folder: string;
  readonly #nameServerPorts: readonly number[];

  private constructor(folder: string, nodes: readonly NodePlan[], nameServerPorts: number[]) {
    this.#folder = folder;
    this.nodes = nodes;
    this.#nameServerPorts = nameServerPorts;
  }

  static async make(
    folder: string,
    counts: { readonly nodes: number; readonly nameServers: number },
  ): Promise<ClusterPlan> {
    const nodes: NodePlan[] = [];
    for (let nodeId = 1; nodeId <= counts.nodes; nodeId++)
      nodes.push({ nodeId, peerPort: await freePort(), clientPort: await freePort() });
    const nameServerPorts: number[] = [];
    while (nameServerPorts.length < counts.nameServers) nameServerPorts.push(await freePort());
    return new ClusterPlan(folder, nodes, nameServerPorts);
  }

  get nameServers(): readonly NameServerPlace[] {
    return this.#nameServerPorts.map((_, i): NameServerPlace => `NameServer ${i}`);
  }

  node(nodeId: number): NodePlan {
    const node = this.nodes.find((known) => known.nodeId === nodeId);
    if (node === undefined) throw new RangeError(`there is no node ${nodeId}`);
    return node;
  }

  /** What a node has. */
  directoryOf(nodeId: number): string {
    return join(this.#folder, `node-${nodeId}`);
  }

  /** See `UnsyncedCount`; not of what a node has, and not wiped with that. */
  unsyncedCountOf(nodeId: number): string {
    return join(this.#folder, `node-${nodeId}.unsynced`);
  }

  /** @returns the file with the settings of a NameServer that listens on that host. */
  writeNameServer(number: number, host: string): string {
    const path = join(this.#folder, `nameserver-${number}.json`);
    mkdirSync(this.#folder, { recursive: true });
    const settings = { listen: `${host}:${this.#nameServerPorts[number]}` };
    writeFileSync(path, `${JSON.stringify(settings)}\n`, { mode: 0o600 });
    return path;
  }

  /** Between all nodes, from clients to everybody, and from nodes to NameServers. */
  links(): LinkPlan[] {
    const links: LinkPlan[] = [];
    const add = (from: Place, to: Place, port: number): void => {
      links.push({ from, to, port });
    };
    for (const { nodeId: to, peerPort, clientPort } of this.nodes) {
      add("clients", to, clientPort);
      for (const { nodeId: from } of this.nodes) if (from !== to) add(from, to, peerPort);
    }
    for (const [number, port] of this.#nameServerPorts.entries()) {
      add("clients", `NameServer ${number}`, port);
      for (const { nodeId } of this.nodes) add(nodeId, `NameServer ${number}`, port);
    }
    return links;
  }
}
