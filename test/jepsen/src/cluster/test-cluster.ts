/**
 * A cluster of real processes on this machine, with everything that can be done to it: each node
 * has a folder of its own, each way that bytes take can be broken, and a disk may forget what was
 * not synced.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { QUORUMLOG } from "@quorumlog/e2e/testing";
import {
  describeReport,
  OwnedProcess,
  ownFolder,
  PatienceError,
  removeFolder,
  type ServingEnd,
  until,
} from "@quorumlog/integration/testing";
import type { IfMissing, ReplicaTuning } from "@quorumlog/replica";
import { Prng, required } from "@quorumlog/std";
import type { Disk } from "../disk/disk.ts";
import { LazyDisks } from "../disk/lazy-disks.ts";
import type { DiskKind, NodeSettings, NodeView } from "../node/node-protocol.ts";
import { readUnsyncedCount } from "../node/unsynced-count.ts";
import { ClusterPlan } from "./cluster-plan.ts";
import type { Links, OpenLinks } from "../links/links.ts";
import { openProxyLinks } from "../links/proxy-links.ts";
import { findingOf, type NodeFinding } from "./node-finding.ts";
import { type NodeEvent, NodeProcess } from "./node-process.ts";
import type { ClusterKind, Target } from "./target.ts";

export interface ClusterInit {
  readonly kind: ClusterKind;
  /** That found the group. */
  readonly nodes: number;
  /** Ids, ports and links for nodes that may join later; default 0. */
  readonly spares?: number;
  /** Of brokers; default 2, and none for other kinds. */
  readonly nameServers?: number;
  /**
   * `real`: the machine's. `unsynced`: a power loss takes away what was not synced, which is in the
   * memory of the node's process, or with LazyFS. Default `real`.
   */
  readonly disk?: Disk | "real";
  readonly seed: number;
  /** Default: proxies. */
  readonly openLinks?: OpenLinks;
  readonly tuning?: Partial<ReplicaTuning>;
  /** Reads at the leader rest on its lease; default false. */
  readonly leaseReads?: boolean;
  /** Where its files are; default a new one. It is removed at the end. */
  readonly folder?: string;
  /** The folder is left as it is then. */
  readonly keepsFiles?: boolean;
}

export interface StartOptions {
  /** Default `fail`: it has been there before. */
  readonly ifMissing?: IfMissing;
  /** Its end is no news: see {@link TestCluster.expectEnd}. Default false. */
  readonly mayEnd?: boolean;
}

/** A node's process that ended by itself, and nobody had expected it. */
export interface UnexpectedEnd {
  readonly nodeId: number;
  readonly atMs: number;
  /** Of its failure, if it has said anything of it. */
  readonly message: string;
  /** With all that it has said of late. */
  readonly words: string;
  /** What no fault explains. */
  readonly finding: NodeFinding | undefined;
}

/** Members have ended by themselves, and it is of no use to wait for them. */
export class NodesEndedError extends Error {
  override readonly name = "NodesEndedError";
}

/** Small, so that segments are sealed, snapshots made, and logs cut within seconds. */
const TUNING: Partial<ReplicaTuning> = {
  segmentBytes: 1024 * 1024,
  snapshotEveryBytes: 512 * 1024,
  tailBytesMax: 1024 * 1024,
  diskReserveBytes: 4 * 1024 * 1024,
  // The disk of whoever runs this may be fuller than that of a server should be.
  diskFullPercent: 100,
  // What rots where it lies is found in the time that a run has.
  scrubBytesPerSecond: 64 * 1024 * 1024,
  scrubEveryMs: 3_000,
};
const LEADER_TIMEOUT_MS = 60_000;
/** A process that has not ended itself by then is ended from outside. */
const CRASH_MS = 200;
const EVENT_COUNT_MAX = 5_000;
const EVENT_COUNT_SHOWN = 20;
/** Of lives on a disk that forgets: some forget only a part. */
const LEAKY_SHARE = 0.3;

export class TestCluster implements AsyncDisposable {
  readonly links: Links;
  readonly plan: ClusterPlan;
  readonly prng: Prng;
  readonly unexpectedEnds: UnexpectedEnd[] = [];
  readonly #init: ClusterInit;
  readonly #folder: string;
  readonly #nameServers: readonly OwnedProcess[];
  readonly #nodes = new Map<number, NodeProcess>();
  /** How many times a node's machine has lost power. */
  readonly #boots = new Map<number, number>();
  readonly #expectedEnds = new Set<number>();
  readonly #members: Set<number>;
  readonly #events: NodeEvent[] = [];
  readonly #listeners = new Set<(event: NodeEvent) => void>();
  #lazyDisks: LazyDisks | undefined;
  #stopping: Promise<void> | undefined;

  private constructor(init: ClusterInit, folder: string, plan: ClusterPlan, links: Links) {
    this.#init = init;
    this.#folder = folder;
    this.plan = plan;
    this.links = links;
    this.prng = new Prng(init.seed);
    this.#members = new Set(plan.nodes.slice(0, init.nodes).map(({ nodeId }) => nodeId));
    this.#nameServers = plan.nameServers.map(
      (name, i) =>
        new OwnedProcess({
          name,
          main: QUORUMLOG,
          args: ["nameserver", `--config=${plan.writeNameServer(i, links.hostOf(name))}`],
          command: links.commandAt(name),
        }),
    );
    // Nobody is there yet.
    for (const { nodeId } of plan.nodes) links.setUp(nodeId, false);
  }

  /** @returns once a leader is elected. */
  static async start(init: ClusterInit): Promise<TestCluster> {
    const folder = init.folder ?? mkdtempSync(join(tmpdir(), "quorumlog-jepsen-"));
    if (init.keepsFiles !== true) ownFolder(folder);
    const { nodes, spares = 0, kind, nameServers = kind === "broker" ? 2 : 0 } = init;
    const plan = await ClusterPlan.make(folder, { nodes: nodes + spares, nameServers });
    const cluster = new TestCluster(
      init,
      folder,
      plan,
      await (init.openLinks ?? openProxyLinks)(plan.links()),
    );
    try {
      await cluster.#mount();
      await Promise.all(cluster.#nameServers.map((nameServer) => nameServer.start()));
      // Founders wait for each other.
      await Promise.all(
        cluster.founders.map((nodeId) => cluster.startNode(nodeId, { ifMissing: "found" })),
      );
      await cluster.leader();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get kind(): ClusterKind {
    return this.#init.kind;
  }

  /** Whether a power loss takes anything away. */
  get forgets(): boolean {
    return (this.#init.disk ?? "real") !== "real";
  }

  /** Whether what is done to a file on the disk is seen by its node. */
  get hasPlainFiles(): boolean {
    return this.#lazyDisks === undefined;
  }

  get founders(): readonly number[] {
    return this.plan.nodes.slice(0, this.#init.nodes).map(({ nodeId }) => nodeId);
  }

  /** As the others know it. */
  peerAddress(nodeId: number): string {
    return `${this.links.hostOf(nodeId)}:${this.plan.node(nodeId).peerPort}`;
  }

  /** For clients; also of nodes that may join later. */
  get target(): Target {
    const { kind } = this.#init;
    const { nodes, nameServers } = this.plan;
    return {
      kind,
      nodes: new Map(nodes.map(({ nodeId }) => [nodeId, this.links.address("clients", nodeId)])),
      nameServers: nameServers.map((place) => this.links.address("clients", place)),
    };
  }

  /** What nodes have told of their replicas, of late. */
  get events(): readonly NodeEvent[] {
    return this.#events;
  }

  /** @returns what ends it. */
  onEvent(listener: (event: NodeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Of each node that may be there, as it was a moment ago; `undefined`: nothing is known. */
  views(): ReadonlyMap<number, NodeView | undefined> {
    return new Map(this.plan.nodes.map(({ nodeId }) => [nodeId, this.#nodes.get(nodeId)?.view]));
  }

  /** Whoever says so, in the newest term, of those of which something is known. */
  leaderId(): number | undefined {
    const views = [...this.views()].filter(([, view]) => view?.role === "leader");
    return views.toSorted(([, a], [, b]) => (b?.term ?? 0) - (a?.term ?? 0))[0]?.[0];
  }

  /** Nodes that belong to the group, as far as whoever changes that has come. */
  get memberIds(): readonly number[] {
    return [...this.#members].toSorted((a, b) => a - b);
  }

  /** The group was changed so. */
  setMember(nodeId: number, isMember: boolean): void {
    if (isMember) this.#members.add(nodeId);
    else this.#members.delete(nodeId);
  }

  /** Voters and learners, as the leader has them. */
  async members(): Promise<readonly number[]> {
    const { voters, learners } = await (await this.leader()).call("view", undefined);
    return [...voters, ...learners].toSorted((a, b) => a - b);
  }

  /** Of nodes that do not belong to the group. */
  get spareIds(): readonly number[] {
    return this.plan.nodes.map(({ nodeId }) => nodeId).filter((id) => !this.#members.has(id));
  }

  /** @returns the node that leads, as soon as one says so. */
  leader(timeoutMs: number = LEADER_TIMEOUT_MS): Promise<NodeProcess> {
    return this.until(
      "a leader is elected",
      () => {
        const leaderId = this.leaderId();
        return leaderId === undefined ? undefined : this.node(leaderId);
      },
      timeoutMs,
    );
  }

  isServing(nodeId: number): boolean {
    return this.#nodes.get(nodeId)?.isServing === true;
  }

  /** Its last life, over or not. */
  node(nodeId: number): NodeProcess {
    return required(this.#nodes.get(nodeId), "a node that was started once");
  }

  async startNameServer(number: number): Promise<void> {
    this.links.setUp(`NameServer ${number}`, true);
    await this.#nameServer(number).start();
  }

  /** `kill -9`. */
  async stopNameServer(number: number): Promise<void> {
    await this.#nameServer(number).kill();
    this.links.setUp(`NameServer ${number}`, false);
  }

  /** With what it has. @returns once it serves. @throws Error if it does not open. */
  async startNode(nodeId: number, options: StartOptions = {}): Promise<NodeProcess> {
    const { ifMissing = "fail", mayEnd = false } = options;
    const node = new NodeProcess(this.#settingsOf(nodeId, ifMissing), {
      command: this.links.commandAt(nodeId),
      onEvent: (event) => {
        this.#onEvent(event);
      },
      onEnd: (end) => {
        this.#onEnd(node, end);
      },
    });
    if (mayEnd) this.expectEnd(nodeId);
    else this.unexpectEnd(nodeId);
    this.#nodes.set(nodeId, node);
    this.links.setUp(nodeId, true);
    await node.start();
    return node;
  }

  /**
   * `kill -9`. On a disk that forgets, what was written is in the machine's hands nevertheless,
   * unless the process does not come to it: it stands still, or is busy.
   */
  async kill(nodeId: number): Promise<void> {
    const node = this.node(nodeId);
    this.expectEnd(nodeId);
    if (this.#init.disk === "unsynced" && node.isServing) {
      const crashed = node.call("crash", undefined).catch(() => undefined);
      await Promise.race([crashed, new Promise((resolve) => setTimeout(resolve, CRASH_MS))]);
    }
    await node.kill();
  }

  /**
   * The node's machine loses power, and all that was not synced with it.
   *
   * @returns how many bytes of files it had not synced.
   */
  async losePower(nodeId: number): Promise<number> {
    this.expectEnd(nodeId);
    await this.node(nodeId).kill();
    this.#boots.set(nodeId, (this.#boots.get(nodeId) ?? 0) + 1);
    if (this.#lazyDisks !== undefined) return this.#lazyDisks.losePower(nodeId);
    // LMDB's own writes do not pass the disk that forgets. Whether what it had not synced is there
    // is open after a power loss: both are tried, its last commit and none.
    if (this.prng.chance(0.5)) rmSync(this.tablesOf(nodeId), { recursive: true, force: true });
    return this.unsyncedBytes(nodeId);
  }

  /** What a power loss would take away now; or what the last one has taken, until it is started. */
  unsyncedBytes(nodeId: number): number {
    if (this.#lazyDisks !== undefined) return this.#lazyDisks.unsyncedBytes(nodeId);
    return readUnsyncedCount(this.plan.unsyncedCountOf(nodeId));
  }

  /** The end of its process is no news from now on, until it is started again. */
  expectEnd(nodeId: number): void {
    this.#expectedEnds.add(nodeId);
  }

  /** Members whose process ended by itself, and nobody has started another one since. */
  get endedMemberIds(): readonly number[] {
    return this.memberIds.filter(
      (nodeId) => this.#nodes.get(nodeId)?.end !== undefined && !this.#expectedEnds.has(nodeId),
    );
  }

  /**
   * For who waits for all of them.
   *
   * @throws NodesEndedError with the last words of members that have ended by themselves
   */
  demandNobodyEnded(): void {
    const ended = this.endedMemberIds;
    if (ended.length === 0) return;
    const words = ended.map((nodeId) => this.node(nodeId).describe());
    throw new NodesEndedError(`nodes ${ended.join(", ")} ended by themselves\n${words.join("\n")}`);
  }

  /** From now on it is. */
  unexpectEnd(nodeId: number): void {
    this.#expectedEnds.delete(nodeId);
  }

  /** Removes all that a node that does not run has on its disk. */
  wipe(nodeId: number): void {
    if (this.#lazyDisks === undefined)
      rmSync(this.plan.directoryOf(nodeId), { recursive: true, force: true });
    else this.#lazyDisks.wipe(nodeId);
  }

  /**
   * Looks again and again, until it sees something.
   *
   * @throws Error with the last words of every process; NodesEndedError as soon as a majority has
   *   ended by itself: nothing comes of what it would take then
   */
  async until<T>(
    what: string,
    look: () => T | undefined | Promise<T | undefined>,
    timeoutMs: number,
  ): Promise<T> {
    try {
      return await until(what, timeoutMs, async () => {
        const seen = await look();
        if (seen === undefined && 2 * this.endedMemberIds.length > this.memberIds.length)
          this.demandNobodyEnded();
        return seen;
      });
    } catch (error) {
      if (!(error instanceof PatienceError)) throw error;
      throw new Error(`${error.message}\n${this.describe()}`, { cause: error });
    }
  }

  /** Every process, what stands where, and what was told last. */
  describe(): string {
    const nodes = [...this.#nodes.values()].map((node) => {
      const view = node.view === undefined ? "says nothing" : JSON.stringify(node.view);
      return `${node.describe()}\n    ${view}`;
    });
    const events = this.#events
      .slice(-EVENT_COUNT_SHOWN)
      .map(({ nodeId, name, detail }) => `  node ${nodeId} ${name} ${detail.slice(0, 200)}`);
    const nameServers = this.#nameServers.map((nameServer) => nameServer.describe());
    return [...nameServers, ...nodes, ...events].join("\n");
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
    for (const { nodeId } of this.plan.nodes) this.expectEnd(nodeId);
    const processes = [...this.#nodes.values(), ...this.#nameServers];
    await Promise.all(processes.map((process) => process.kill()));
    await this.links.close();
    await this.#lazyDisks?.close();
    if (this.#init.keepsFiles !== true) removeFolder(this.#folder);
  }

  async #mount(): Promise<void> {
    const { disk } = this.#init;
    if (typeof disk !== "object") return;
    const folders = this.plan.nodes.map(
      ({ nodeId }) => [nodeId, this.plan.directoryOf(nodeId)] as const,
    );
    this.#lazyDisks = await LazyDisks.open(disk.lazyfs, new Map(folders));
  }

  #nameServer(number: number): OwnedProcess {
    return required(this.#nameServers[number], "a NameServer of this cluster");
  }

  #settingsOf(nodeId: number, ifMissing: IfMissing): NodeSettings {
    const { kind, tuning, disk = "real", leaseReads = false } = this.#init;
    const { nodes, nameServers, token } = this.plan;
    const { clientPort } = this.plan.node(nodeId);
    // A node that joins learns of the others from them.
    const known = ifMissing === "join" ? [nodeId] : [...new Set([...this.founders, nodeId])];
    const others = nodes.filter((other) => other.nodeId !== nodeId);
    const forgetful: DiskKind = this.prng.chance(LEAKY_SHARE) ? "leaky" : "unsynced";
    return {
      kind,
      nodeId,
      clusterId: `jepsen-${kind}`,
      token,
      directory: this.plan.directoryOf(nodeId),
      ifMissing,
      listen: this.peerAddress(nodeId),
      peers: Object.fromEntries(known.map((id) => [id, this.peerAddress(id)])),
      routes: Object.fromEntries(
        others.map(({ nodeId: id }) => [this.peerAddress(id), this.links.address(nodeId, id)]),
      ),
      host: this.links.hostOf(nodeId),
      clientPort,
      advertise: this.links.address("clients", nodeId),
      nameServers: nameServers.map((place) => this.links.address(nodeId, place)),
      disk: typeof disk === "object" ? "lazyfs" : disk === "real" ? "real" : forgetful,
      unsyncedCount: this.plan.unsyncedCountOf(nodeId),
      bootId: `boot ${this.#boots.get(nodeId) ?? 0} of node ${nodeId}`,
      tuning: { ...TUNING, ...tuning },
      // A cluster may have nodes of both kinds: each life is of one of them.
      recoverFromPeers: this.prng.chance(0.5),
      leaseReads,
      seed: this.prng.uint32(),
    };
  }

  /** Where LMDB keeps the state. */
  tablesOf(nodeId: number): string {
    const groupId = this.kind === "broker" ? 1 : 0;
    return join(this.plan.directoryOf(nodeId), `group-${groupId}`, "tables");
  }

  #onEvent(event: NodeEvent): void {
    this.#events.push(event);
    if (this.#events.length > EVENT_COUNT_MAX) this.#events.shift();
    for (const listener of this.#listeners) listener(event);
  }

  #onEnd(node: NodeProcess, end: ServingEnd): void {
    const { nodeId } = node;
    if (this.#nodes.get(nodeId) !== node) return;
    this.links.setUp(nodeId, false);
    if (this.#expectedEnds.has(nodeId)) return;
    const how = end.signal ?? `exit code ${end.exitCode}`;
    const error = end.fatal?.error;
    const message = error === undefined ? "" : describeReport(error);
    const words = `${how}: ${message}\n${node.describe()}`;
    const finding = error === undefined ? undefined : findingOf(error);
    const atMs = performance.now();
    this.unexpectedEnds.push({ nodeId, atMs, message, words, finding });
  }
}
