/** A whole cluster on this machine: a NameServer and broker groups, each node a process. */

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Child } from "./child-process.ts";

export interface LocalClusterOptions {
  readonly dataDir: string;
  readonly groups: number;
  /** Of each group. */
  readonly nodes: number;
  readonly onLine: (name: string, line: string) => void;
  readonly onLost: (name: string, how: string) => void;
}

/** What a cluster on this machine keeps: where it is reached, the same after a restart. */
interface Plan {
  readonly token: string;
  readonly nameServer: string;
  readonly nodes: readonly NodePlan[];
}

interface NodePlan {
  readonly nodeId: number;
  readonly groupId: number;
  readonly client: string;
  readonly peer: string;
}

const PLAN = "cluster.json";
const GROUP_NAMES = "abcdefghijklmnopqrstuvwxyz";
const NAME_SERVER_PORT = 9_876;
const TOKEN_BYTES = 24;

export class LocalCluster {
  readonly #options: LocalClusterOptions;
  readonly #plan: Plan;
  readonly #nameServer: Child;
  readonly #brokers = new Map<number, Child>();

  private constructor(options: LocalClusterOptions, plan: Plan) {
    this.#options = options;
    this.#plan = plan;
    this.#nameServer = this.#child("nameserver", ["nameserver", "--listen", plan.nameServer]);
    for (const node of plan.nodes)
      this.#brokers.set(
        node.nodeId,
        this.#child(`node ${node.nodeId}`, brokerArgs(node, plan, options)),
      );
  }

  static async start(options: LocalClusterOptions): Promise<LocalCluster> {
    mkdirSync(options.dataDir, { recursive: true });
    const cluster = new LocalCluster(options, await planOf(options));
    await cluster.#nameServer.start();
    // Those of a group wait for each other.
    await Promise.all([...cluster.#brokers.values()].map((child) => child.start()));
    return cluster;
  }

  /** As `host:port`. */
  get nameServer(): string {
    return this.#plan.nameServer;
  }

  /** @throws RangeError if there is no such node */
  broker(nodeId: number): Child {
    const child = this.#brokers.get(nodeId);
    if (child === undefined) throw new RangeError(`there is no node ${nodeId}`);
    return child;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#brokers.values()].map((child) => child.stop()));
    await this.#nameServer.stop();
  }

  #child(name: string, args: readonly string[]): Child {
    const { onLine, onLost } = this.#options;
    return new Child({
      name,
      args,
      onLine: (line) => {
        onLine(name, line);
      },
      onLost: (_, how) => {
        onLost(name, how);
      },
    });
  }
}

function brokerArgs(node: NodePlan, plan: Plan, { dataDir }: LocalClusterOptions): string[] {
  const { nodeId, groupId, client } = node;
  const peers = plan.nodes.filter((other) => other.groupId === groupId);
  const name = `broker-${GROUP_NAMES[groupId - 1] ?? groupId}`;
  return [
    "broker",
    `--node-id=${nodeId}`,
    `--group-id=${groupId}`,
    `--group-name=${name}`,
    `--data-dir=${join(dataDir, `${name}-${nodeId}`)}`,
    `--listen=${client}`,
    `--peers=${peers.map((other) => `${other.nodeId}=${other.peer}`).join(",")}`,
    `--token=${plan.token}`,
    `--name-servers=${plan.nameServer}`,
  ];
}

/** What was made the first time, or a new one, at ports that are free now. */
async function planOf({ dataDir, groups, nodes }: LocalClusterOptions): Promise<Plan> {
  const path = join(dataDir, PLAN);
  if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8")) as Plan;
  const token = randomBytes(TOKEN_BYTES).toString("hex");
  const nameServer = `127.0.0.1:${await freePort(NAME_SERVER_PORT)}`;
  const planned: NodePlan[] = [];
  for (let groupId = 1; groupId <= groups; groupId++)
    for (let i = 0; i < nodes; i++)
      planned.push({
        nodeId: planned.length + 1,
        groupId,
        client: `127.0.0.1:${await freePort(0)}`,
        peer: `127.0.0.1:${await freePort(0)}`,
      });
  const plan: Plan = { token, nameServer, nodes: planned };
  writeFileSync(path, `${JSON.stringify(plan, undefined, 2)}\n`, { mode: 0o600 });
  return plan;
}

/** @returns the wanted one if nobody has it, else any. */
function freePort(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) => {
      if (wanted === 0) reject(error);
      else freePort(0).then(resolve, reject);
    });
    server.listen(wanted, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => {
        resolve(port);
      });
    });
  });
}
