/**
 * A whole cluster within one process, for the tests of whoever uses the library: real replicas,
 * with a disk and a network of their own, in memory or on this machine.
 */

import { type FileSystem, nodeFileSystem } from "@quorumlog/log";
import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { openTcpTransport, parseTransportOptions, type Transport } from "@quorumlog/transport";
import { MemoryNetwork } from "@quorumlog/transport/testing";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Environment, nodeEnvironment } from "../environment.ts";
import type { Flush } from "../flush-mode.ts";
import type { NodeOptions } from "../node-options.ts";
import type { IfMissing } from "../open-group.ts";
import type { ReplicaEvent } from "../replica-event.ts";
import type { ReplicaTuning } from "../replica-options.ts";
import { type LogOptions, ReplicatedLog } from "../replicated-log.ts";
import { demand } from "./demand.ts";

export interface ClusterOptions {
  /** In `[1, 7]`, default 3. */
  readonly nodes?: number;
  /** `memory` touches nothing of this machine; `loopback`: sockets, and temporary files. */
  readonly on?: "memory" | "loopback";
  /** Chance of the network and the disks in memory; default 1. */
  readonly seed?: number;
  /** Of each disk in memory; default no limit. */
  readonly diskBytes?: number;
  readonly tuning?: Partial<ReplicaTuning>;
  readonly preferredLeaders?: readonly number[];
  readonly leaseReads?: boolean;
  readonly flush?: Flush;
  readonly recoverFromPeers?: boolean;
  /** Time of the replicas; default that of the process. */
  readonly environment?: Environment;
  readonly retention?: LogOptions["retention"];
  readonly onEvent?: (nodeId: number, event: ReplicaEvent) => void;
}

const CLUSTER_ID = "test";
const TOKEN = "the token of a cluster for tests";
const NODES_MAX = 7;
/** Small: a cluster in memory should not take a second to make its files. */
const SEGMENT_BYTES = 1024 * 1024;

/** What a node keeps between its lives, and how it is reached. */
interface Node {
  readonly nodeId: number;
  readonly directory: string;
  fileSystem: FileSystem;
  /** How often its machine was booted. */
  bootCount: number;
  log: ReplicatedLog | undefined;
  transport: Transport | undefined;
}

export class TestCluster {
  readonly #options: ClusterOptions;
  readonly #directory: string | undefined;
  readonly #network: MemoryNetwork;
  readonly #nodes = new Map<number, Node>();
  readonly #addresses = new Map<number, string>();

  private constructor(options: ClusterOptions, directory: string | undefined) {
    const { nodes = 3, seed = 1 } = options;
    demand(Number.isInteger(nodes) && nodes >= 1 && nodes <= NODES_MAX, `nodes: ${nodes}`);
    this.#options = options;
    this.#directory = directory;
    this.#network = new MemoryNetwork({ scheduler: nodeEnvironment, prng: new Prng(seed) });
    for (let nodeId = 1; nodeId <= nodes; nodeId++) this.#makeNode(nodeId);
  }

  /** For `startCluster`. */
  static async start(options: ClusterOptions): Promise<TestCluster> {
    const isOnDisk = options.on === "loopback";
    const directory = isOnDisk ? await mkdtemp(join(tmpdir(), "quorumlog-")) : undefined;
    const cluster = new TestCluster(options, directory);
    for (const node of cluster.#nodes.values()) await cluster.#listen(node);
    // They wait for each other.
    await Promise.all([...cluster.#nodes.values()].map((node) => cluster.#open(node, "found")));
    return cluster;
  }

  /** Those that run, by node id. */
  get logs(): readonly ReplicatedLog[] {
    return [...this.#nodes.values()].flatMap(({ log }) => (log === undefined ? [] : [log]));
  }

  /** @throws if the node does not run. */
  log(nodeId: number): ReplicatedLog {
    const log = this.#node(nodeId).log;
    demand(log !== undefined, `node ${nodeId} does not run`);
    return log;
  }

  /** The leader, once there is one that all others that run follow. */
  async leader(): Promise<ReplicatedLog> {
    for (;;) {
      demand(this.logs.length > 0, "no node runs");
      const followed = await Promise.all(this.logs.map((log) => log.leader()));
      const log = this.#nodes.get(followed[0] as number)?.log;
      if (new Set(followed).size === 1 && log?.status().role === "leader") return log;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Ends a node as kill -9 does: nothing is handed over, and nothing more is sent. */
  async kill(nodeId: number): Promise<void> {
    const node = this.#node(nodeId);
    const { log, transport } = node;
    demand(log !== undefined, `node ${nodeId} does not run`);
    node.log = undefined;
    node.transport = undefined;
    if (transport !== undefined) await closeTransport(transport);
    await log.close({ handOver: false });
  }

  /** Ends a node by a loss of power: what its disk in memory has not synced may be gone. */
  async losePower(nodeId: number): Promise<void> {
    const node = this.#node(nodeId);
    const { log, transport, fileSystem } = node;
    demand(log !== undefined, `node ${nodeId} does not run`);
    demand(fileSystem instanceof MemoryFileSystem, "the power of this machine stays on");
    node.log = undefined;
    node.transport = undefined;
    node.bootCount += 1;
    fileSystem.crash("power");
    if (transport !== undefined) await closeTransport(transport);
    // Its disk answers nothing any more, so closing never ends; but it sends nothing from here.
    void log.close({ handOver: false });
  }

  /**
   * Starts a node again that was killed, on what its disk holds.
   *
   * @param ifMissing - For a disk that was wiped; default `fail`.
   * @param options - `acceptLoss`: as that of `NodeOptions`.
   */
  async restart(
    nodeId: number,
    ifMissing: IfMissing = "fail",
    options: { readonly acceptLoss?: boolean } = {},
  ): Promise<ReplicatedLog> {
    const node = this.#node(nodeId);
    demand(node.log === undefined, `node ${nodeId} runs`);
    await this.#listen(node);
    try {
      return await this.#open(node, ifMissing, options);
    } catch (error) {
      if (node.transport !== undefined) await closeTransport(node.transport);
      node.transport = undefined;
      throw error;
    }
  }

  /** Empties the disk of a node that was killed. */
  async wipe(nodeId: number): Promise<void> {
    const node = this.#node(nodeId);
    demand(node.log === undefined, `node ${nodeId} runs`);
    if (this.#directory !== undefined) await rm(node.directory, { recursive: true, force: true });
    else node.fileSystem = this.#memory(nodeId);
  }

  /** The disk of a node, to look at or to damage. @throws if it is not in memory. */
  disk(nodeId: number): MemoryFileSystem {
    const { fileSystem } = this.#node(nodeId);
    demand(fileSystem instanceof MemoryFileSystem, "the disks are not in memory");
    return fileSystem;
  }

  /** Starts a node that is to be added to the group: see `addLearner`. */
  async join(nodeId: number): Promise<ReplicatedLog> {
    demand(!this.#nodes.has(nodeId), `there is a node ${nodeId}`);
    const node = this.#makeNode(nodeId);
    await this.#listen(node);
    return this.#open(node, "join");
  }

  /** Where a node is reached. */
  address(nodeId: number): string {
    const address = this.#addresses.get(nodeId);
    demand(address !== undefined, `there is no node ${nodeId}`);
    return address;
  }

  /** Ends all nodes, and removes what they had on disks. */
  async close(): Promise<void> {
    for (const node of this.#nodes.values()) {
      await node.log?.close({ handOver: false });
      if (node.transport !== undefined) await closeTransport(node.transport);
      node.log = undefined;
      node.transport = undefined;
    }
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #makeNode(nodeId: number): Node {
    const isOnDisk = this.#directory !== undefined;
    const node: Node = {
      nodeId,
      directory: join(this.#directory ?? "/", `node-${nodeId}`),
      fileSystem: isOnDisk ? nodeFileSystem : this.#memory(nodeId),
      bootCount: 1,
      log: undefined,
      transport: undefined,
    };
    this.#nodes.set(nodeId, node);
    return node;
  }

  #memory(nodeId: number): FileSystem {
    const { seed = 1, diskBytes } = this.#options;
    const prng = new Prng(seed * 100 + nodeId);
    return new MemoryFileSystem(
      diskBytes === undefined ? { prng } : { prng, capacityBytes: diskBytes },
    );
  }

  async #listen(node: Node): Promise<void> {
    const { nodeId } = node;
    const identity = { nodeId, incarnation: 0 };
    if (this.#directory === undefined) {
      this.#addresses.set(nodeId, `node-${nodeId}:1`);
      node.transport = this.#network.transport(identity);
      return;
    }
    const listen = this.#addresses.get(nodeId) ?? "127.0.0.1:0";
    const input = { ...identity, clusterId: CLUSTER_ID, token: TOKEN, listen };
    const transport = await openTcpTransport({
      options: parseTransportOptions(input),
      log: () => undefined,
    });
    this.#addresses.set(nodeId, `127.0.0.1:${transport.address.port}`);
    node.transport = transport;
  }

  async #open(
    node: Node,
    ifMissing: IfMissing,
    { acceptLoss = false }: { readonly acceptLoss?: boolean } = {},
  ): Promise<ReplicatedLog> {
    const { nodeId, directory, fileSystem, transport } = node;
    demand(transport !== undefined, `node ${nodeId} has no network`);
    const { tuning, retention, onEvent, preferredLeaders = [], leaseReads = false } = this.#options;
    const {
      environment = nodeEnvironment,
      flush = "sync",
      recoverFromPeers = false,
    } = this.#options;
    const options: NodeOptions = {
      directory,
      clusterId: CLUSTER_ID,
      nodeId,
      ifMissing,
      // Whoever joins is told by the others where they are.
      peers: ifMissing === "join" ? { [nodeId]: this.address(nodeId) } : this.#founders(),
      transport,
      fileSystem,
      preferredLeaders,
      leaseReads,
      flush,
      acceptLoss,
      recoverFromPeers,
      environment: bootedAs(environment, node),
      tuning: { segmentBytes: SEGMENT_BYTES, ...tuning },
      onEvent: (event) => onEvent?.(nodeId, event),
    };
    node.log = await ReplicatedLog.open(
      retention === undefined ? options : { ...options, retention },
    );
    return node.log;
  }

  #founders(): Record<number, string> {
    return Object.fromEntries(this.#addresses);
  }

  #node(nodeId: number): Node {
    const node = this.#nodes.get(nodeId);
    demand(node !== undefined, `there is no node ${nodeId}`);
    return node;
  }
}

/**
 * Starts a cluster, and waits for its first leader.
 *
 * @throws RangeError
 */
export async function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  const cluster = await TestCluster.start(options);
  await cluster.leader();
  return cluster;
}

/** Each machine is booted by itself, whatever they share. */
function bootedAs(shared: Environment, { nodeId, bootCount }: Node): Environment {
  return {
    now: () => shared.now(),
    wallTime: () => shared.wallTime(),
    after: (delayMs, run) => shared.after(delayMs, run),
    soon: (run) => {
      shared.soon(run);
    },
    bootId: () => `boot ${bootCount} of machine ${nodeId}`,
    random: () => shared.random(),
    memory: shared.memory,
  };
}

function closeTransport(transport: Transport): Promise<void> {
  return new Promise((resolve) => {
    transport.close(resolve);
  });
}
