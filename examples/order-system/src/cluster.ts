/** A NameServer and three brokers on this machine, each started by quorumlog's command line. */

import type { ChildProcess } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Admin } from "@quorumlog/client";
import { kill, start } from "./processes.ts";

const QUORUMLOG = fileURLToPath(new URL("../../../packages/cli/dist/main.js", import.meta.url));
const NODE_IDS = [1, 2, 3];
const HOST = "127.0.0.1";
const PORT_MIN = 10_000;
const PORT_RANGE = 20_000;
const TOKEN = "the nodes show it to each other";

export class Cluster {
  readonly nameServer: string;
  readonly #folder: string;
  readonly #peers: string;
  readonly #clientPorts: readonly number[];
  readonly #brokers = new Map<number, ChildProcess>();

  private constructor(folder: string, ports: readonly number[]) {
    const [nameServer = 0, ...others] = ports;
    this.nameServer = `${HOST}:${nameServer}`;
    this.#folder = folder;
    this.#clientPorts = others.slice(0, NODE_IDS.length);
    this.#peers = NODE_IDS.map((id, i) => `${id}=${HOST}:${others[NODE_IDS.length + i]}`).join();
  }

  static async start(folder: string): Promise<Cluster> {
    const ports = await freePorts(1 + 2 * NODE_IDS.length);
    const cluster = new Cluster(folder, ports);
    start(join(folder, "nameserver.log"), [
      QUORUMLOG,
      "nameserver",
      "--listen",
      cluster.nameServer,
    ]);
    for (const nodeId of NODE_IDS) cluster.startBroker(nodeId);
    return cluster;
  }

  startBroker(nodeId: number): void {
    const child = start(join(this.#folder, `node-${nodeId}.log`), [
      QUORUMLOG,
      "broker",
      `--node-id=${nodeId}`,
      `--data-dir=${join(this.#folder, `node-${nodeId}`)}`,
      `--listen=${HOST}:${this.#clientPorts[nodeId - 1]}`,
      `--peers=${this.#peers}`,
      `--token=${TOKEN}`,
      `--name-servers=${this.nameServer}`,
    ]);
    this.#brokers.set(nodeId, child);
  }

  /** @returns which node it was. */
  async killLeader(admin: Admin): Promise<number> {
    const leader = admin.cluster().groups[0]?.leaderNodeId ?? 0;
    const child = this.#brokers.get(leader);
    if (child === undefined) throw new Error("nobody leads just now");
    await kill(child);
    return leader;
  }
}

/**
 * Ports that nobody has, below those that systems give to outgoing connections: such a one could be
 * taken before its process listens.
 */
async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  const first = PORT_MIN + Math.floor(Math.random() * PORT_RANGE);
  for (let port = first; ports.length < count; port++) if (await isFree(port)) ports.push(port);
  return ports;
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => {
      resolve(false);
    });
    server.listen(port, HOST, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
