/**
 * A cluster of real processes on this machine: NameServers and the nodes of broker groups, each
 * started by the command line, on ports and in a folder of its own. What a test does to it is done
 * by signals and by the calls that an operator makes.
 */

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Admin } from "@quorumlog/client";
import {
  OwnedProcess,
  ownFolder,
  PatienceError,
  removeFolder,
  until,
} from "@quorumlog/integration/testing";
import { NODE_SERVICE, OperationError, RpcChannel } from "@quorumlog/protocol";
import type { NodeStatus } from "@quorumlog/protocol/messages";
import { ClusterPlan, type NodePlan, type PlanOptions } from "./cluster-plan.ts";
import { QUORUMLOG } from "./quorumlog-main.ts";

const DEFAULTS: PlanOptions = {
  groups: 2,
  nodes: 3,
  nameServers: 1,
  brokerSettings: {},
  nameServerSettings: {},
};
/** What a node has noted of its replica, with fields of the event. */
interface ReplicaNote {
  /** As in `2026-11-22T12:00:00.000Z`. */
  readonly at: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

const STATUS_MS = 2_000;
/** What takes less than a second here takes more on a machine that is busy. */
const PATIENCE_MS = 60_000;
const MEMBERSHIP_MS = 300_000;
const METADATA_GROUP_ID = 1;

export class ProcessCluster implements AsyncDisposable {
  readonly #folder: string;
  readonly #plan: ClusterPlan;
  readonly #nameServers: readonly OwnedProcess[];
  readonly #brokers = new Map<number, OwnedProcess>();
  readonly #channels = new Map<number, RpcChannel>();
  /** Nodes that are starting again, and why one of them does not. */
  #returning: Promise<unknown>[] = [];
  #admin: Promise<Admin> | undefined;
  #stopping: Promise<void> | undefined;

  private constructor(folder: string, plan: ClusterPlan) {
    this.#folder = folder;
    this.#plan = plan;
    this.#nameServers = plan.nameServers.map((_, i) =>
      quorumlog(`NameServer ${i}`, "nameserver", plan.writeNameServer(i)),
    );
    for (const node of plan.nodes) this.#know(node, "found");
  }

  /** @returns once every group has a leader, and topics can be spread over all of them. */
  static async start(options: Partial<PlanOptions> = {}): Promise<ProcessCluster> {
    const folder = mkdtempSync(join(tmpdir(), "quorumlog-e2e-"));
    ownFolder(folder);
    const plan = await ClusterPlan.make(folder, { ...DEFAULTS, ...options });
    const cluster = new ProcessCluster(folder, plan);
    try {
      await Promise.all(cluster.#nameServers.map((nameServer) => nameServer.start()));
      // Those of a group wait for each other.
      await Promise.all([...cluster.#brokers.values()].map((broker) => broker.start()));
      await cluster.#groupsKnown(cluster.groupIds.length);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** What a node has said of its replica, of late. */
  events(nodeId: number, event: string): readonly ReplicaNote[] {
    return this.node(nodeId)
      .lines.filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as ReplicaNote)
      .filter((note) => note.event === event);
  }

  /** As `host:port`, for clients. */
  get nameServers(): readonly string[] {
    return this.#plan.nameServers;
  }

  get groupIds(): readonly number[] {
    return [...new Set(this.#plan.nodes.map(({ groupId }) => groupId))];
  }

  /** Of nodes that were not replaced. */
  nodeIdsOf(groupId: number): readonly number[] {
    const nodes = this.#plan.nodesOf(groupId);
    return nodes.map(({ nodeId }) => nodeId).filter((nodeId) => this.#brokers.has(nodeId));
  }

  /** Of its port for clients, as `host:port`. */
  addressOf(nodeId: number): string {
    return this.#planOf(nodeId).client;
  }

  /** For the whole life of the cluster; opened when it is first asked for. */
  admin(): Promise<Admin> {
    this.#admin ??= Admin.open({ nameServers: this.nameServers });
    return this.#admin;
  }

  nameServer(number = 0): OwnedProcess {
    const process = this.#nameServers[number];
    if (process === undefined) throw new RangeError(`there is no NameServer ${number}`);
    return process;
  }

  node(nodeId: number): OwnedProcess {
    const process = this.#brokers.get(nodeId);
    if (process === undefined) throw new RangeError(`there is no node ${nodeId}`);
    return process;
  }

  /** By default `kill -9`. */
  kill(nodeId: number, signal?: "SIGKILL" | "SIGTERM"): Promise<void> {
    return this.node(nodeId).kill(signal);
  }

  pause(nodeId: number): void {
    this.node(nodeId).pause();
  }

  resume(nodeId: number): void {
    this.node(nodeId).resume();
  }

  /** With the files that it has; it may be down already. */
  async restart(nodeId: number): Promise<void> {
    await this.kill(nodeId);
    await this.node(nodeId).start();
  }

  /**
   * Kills a node for good, and has the group take a new one, of another id and with an empty
   * folder, in its place.
   *
   * @returns the new node's id, once that holds everything and counts.
   */
  async replace(nodeId: number): Promise<number> {
    const former = this.#planOf(nodeId);
    const { groupId } = former;
    await this.forget(nodeId);
    const node = await this.join(groupId);
    const admin = await this.admin();
    await admin.replaceNode({
      groupId,
      formerNodeId: nodeId,
      nodeId: node.nodeId,
      peerAddress: node.peer,
      timeoutMs: MEMBERSHIP_MS,
    });
    return node.nodeId;
  }

  /** A node that is no member any more: it is killed, and belongs to no group here. */
  async forget(nodeId: number): Promise<void> {
    await this.kill(nodeId);
    this.#brokers.delete(nodeId);
  }

  /** A node with an empty folder, which waits to be taken into a group. */
  async join(groupId: number): Promise<NodePlan> {
    const node = await this.#plan.addNode(groupId);
    await this.#know(node, "join").start();
    return node;
  }

  /** A further broker group, as large as the others. @returns its id. */
  async addGroup(): Promise<number> {
    const groupId = 1 + Math.max(...this.groupIds);
    const nodes = await this.#plan.addGroup(groupId);
    const version = await this.#metadataVersion();
    await Promise.all(nodes.map((node) => this.#know(node, "found").start()));
    await this.#groupsKnown(version + 1);
    return groupId;
  }

  /** @returns the node that leads, once a majority of the group says so. */
  leaderOf(groupId: number): Promise<number> {
    return this.until(`group ${groupId} has a leader`, async () => {
      const nodeIds = this.nodeIdsOf(groupId);
      const statuses = await Promise.all(nodeIds.map((nodeId) => this.statusOf(nodeId)));
      for (const status of statuses) {
        if (status?.role !== "leader") continue;
        const { nodeId, term } = status;
        const followers = statuses.filter(
          (each) => each?.term === term && each.leaderNodeId === nodeId,
        );
        if (2 * followers.length > nodeIds.length) return nodeId;
      }
      return undefined;
    });
  }

  /** `kill -9` of the node that leads. @returns it, once another one leads. */
  async killLeader(groupId: number): Promise<number> {
    const nodeId = await this.leaderOf(groupId);
    await this.kill(nodeId);
    await this.leaderOf(groupId);
    return nodeId;
  }

  /**
   * `kill -9` of the leaders of all groups; they are started again once others lead.
   *
   * @returns when others lead; the next time waits for the killed ones to be back.
   */
  async failOver(): Promise<void> {
    await this.whole();
    const killed = await Promise.all(this.groupIds.map((groupId) => this.killLeader(groupId)));
    this.#returning = killed.map((nodeId) => settled(this.node(nodeId).start()));
  }

  /** @throws Error if a node that was killed by `failOver` has not come back. */
  async whole(): Promise<void> {
    for (const failure of await Promise.all(this.#returning.splice(0)))
      if (failure !== undefined) throw failure;
  }

  /** @returns `undefined` if it says nothing: it is down, or stands still. */
  async statusOf(nodeId: number): Promise<NodeStatus | undefined> {
    if (!this.node(nodeId).isRunning) return undefined;
    try {
      const options = { timeoutMs: STATUS_MS };
      return await this.#channel(nodeId).call(NODE_SERVICE.getStatus, {}, options);
    } catch (error) {
      if (error instanceof OperationError) return undefined;
      throw error;
    }
  }

  /**
   * Looks again and again, until it sees something.
   *
   * @param what - Is waited for, as a sentence.
   * @throws Error with the last words of every process
   */
  async until<T>(
    what: string,
    look: () => T | undefined | Promise<T | undefined>,
    timeoutMs: number = PATIENCE_MS,
  ): Promise<T> {
    try {
      return await until(what, timeoutMs, look);
    } catch (error) {
      if (!(error instanceof PatienceError)) throw error;
      throw new Error(`${error.message}\n${this.describe()}`, { cause: error });
    }
  }

  /** Every process, and the last that it has said. */
  describe(): string {
    const processes = [...this.#nameServers, ...this.#brokers.values()];
    return processes.map((process) => process.describe()).join("\n");
  }

  /** Ends all that was started, and removes its files. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    try {
      await (await this.#admin)?.close();
    } finally {
      for (const channel of this.#channels.values()) channel.close();
      const processes = [...this.#brokers.values(), ...this.#nameServers];
      await Promise.all(processes.map((process) => process.kill()));
      await Promise.all(this.#returning);
      removeFolder(this.#folder);
    }
  }

  #know(node: NodePlan, ifMissing: "found" | "join"): OwnedProcess {
    const name = `node ${node.nodeId} of group ${node.groupId}`;
    const process = quorumlog(name, "broker", this.#plan.writeBroker(node, ifMissing));
    this.#brokers.set(node.nodeId, process);
    return process;
  }

  #planOf(nodeId: number): NodePlan {
    const plan = this.#plan.nodes.find((node) => node.nodeId === nodeId);
    if (plan === undefined) throw new RangeError(`there is no node ${nodeId}`);
    return plan;
  }

  /** Each group's name is metadata, so topics can be spread over it: each is a version more. */
  /** @param version - Of the metadata, once it knows them all: each registration is a change. */
  async #groupsKnown(version: number): Promise<void> {
    await Promise.all(this.groupIds.map((groupId) => this.leaderOf(groupId)));
    await this.until("every group is known to the metadata group", async () => {
      return (await this.#metadataVersion()) >= version ? true : undefined;
    });
  }

  async #metadataVersion(): Promise<number> {
    const status = await this.statusOf(await this.leaderOf(METADATA_GROUP_ID));
    return status?.metadataVersion ?? 0;
  }

  #channel(nodeId: number): RpcChannel {
    let channel = this.#channels.get(nodeId);
    if (channel === undefined) {
      channel = new RpcChannel({ address: this.#planOf(nodeId).client });
      this.#channels.set(nodeId, channel);
    }
    return channel;
  }
}

function quorumlog(name: string, command: string, config: string): OwnedProcess {
  return new OwnedProcess({ name, main: QUORUMLOG, args: [command, `--config=${config}`] });
}

/** @returns what it failed with. Somebody looks at it later. */
function settled(work: Promise<void>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}
