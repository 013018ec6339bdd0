/** Where everything of a cluster is, and the files that tell each process so. */

import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "@quorumlog/transport/testing";

export interface PlanOptions {
  readonly groups: number;
  /** Of each group. */
  readonly nodes: number;
  readonly nameServers: number;
  /** Further settings of every broker, as in `quorumlog broker --help`. */
  readonly brokerSettings: Settings;
  readonly nameServerSettings: Settings;
}

export type Settings = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export interface NodePlan {
  readonly nodeId: number;
  readonly groupId: number;
  /** As `host:port`. */
  readonly client: string;
  readonly peer: string;
}

const TOKEN_BYTES = 24;
const GROUP_NAMES = "abcdefghijklmnopqrstuvwxyz";

export class ClusterPlan {
  readonly nameServers: readonly string[];
  readonly #folder: string;
  readonly #options: PlanOptions;
  readonly #token = randomBytes(TOKEN_BYTES).toString("hex");
  readonly #nodes: NodePlan[] = [];

  private constructor(folder: string, options: PlanOptions, nameServers: readonly string[]) {
    this.#folder = folder;
    this.#options = options;
    this.nameServers = nameServers;
  }

  static async make(folder: string, options: PlanOptions): Promise<ClusterPlan> {
    const nameServers: string[] = [];
    while (nameServers.length < options.nameServers) nameServers.push(await freeAddress());
    const plan = new ClusterPlan(folder, options, nameServers);
    for (let groupId = 1; groupId <= options.groups; groupId++) await plan.addGroup(groupId);
    return plan;
  }

  get nodes(): readonly NodePlan[] {
    return this.#nodes;
  }

  nodesOf(groupId: number): NodePlan[] {
    return this.#nodes.filter((node) => node.groupId === groupId);
  }

  async addGroup(groupId: number): Promise<NodePlan[]> {
    for (let i = 0; i < this.#options.nodes; i++) await this.addNode(groupId);
    return this.nodesOf(groupId);
  }

  /** Of an id and at addresses that no other ever had. */
  async addNode(groupId: number): Promise<NodePlan> {
    const nodeId = 1 + Math.max(0, ...this.#nodes.map((node) => node.nodeId));
    const client = await freeAddress();
    const node: NodePlan = { nodeId, groupId, client, peer: await freeAddress() };
    this.#nodes.push(node);
    return node;
  }

  /** @returns the file with the settings of a node. */
  writeBroker({ nodeId, groupId, client }: NodePlan, ifMissing: "found" | "join"): string {
    const name = `broker-${GROUP_NAMES[groupId - 1] ?? groupId}`;
    const directory = join(this.#folder, `${name}-${nodeId}`);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return this.#write(`${name}-${nodeId}.json`, {
      nodeId,
      groupId,
      groupName: name,
      dataDir: directory,
      listen: client,
      peers: this.nodesOf(groupId).map((other) => `${other.nodeId}=${other.peer}`),
      token: this.#token,
      nameServers: this.nameServers,
      ifMissing,
      ...this.#options.brokerSettings,
    });
  }

  writeNameServer(number: number): string {
    return this.#write(`nameserver-${number}.json`, {
      listen: this.nameServers[number] ?? "",
      ...this.#options.nameServerSettings,
    });
  }

  #write(name: string, settings: Settings): string {
    const path = join(this.#folder, name);
    writeFileSync(path, `${JSON.stringify(settings, undefined, 2)}\n`, { mode: 0o600 });
    return path;
  }
}

async function freeAddress(): Promise<string> {
  return `127.0.0.1:${await freePort()}`;
}
