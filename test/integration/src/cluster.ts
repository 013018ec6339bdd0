/** A cluster of processes: starts, ends, damages and questions its nodes. */

import type { Flush, GroupStatus, IfMissing, ReplicaTuning } from "@quorumlog/replica";
import type { Prng } from "@quorumlog/std";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ReplicaAudit } from "./checker.ts";
import { type NodeEvent, NodeProcess } from "./node-process.ts";
import type { DiskKind, NodeSettings } from "./node-protocol.ts";
import { until } from "./patience.ts";
import { ProcessCallError } from "./process/serving-process.ts";
import { freePort } from "@quorumlog/transport/testing";

export interface ClusterInit {
  /** For the nodes' files. */
  readonly directory: string;
  readonly prng: Prng;
  readonly nodeIds?: readonly number[];
  readonly disk?: DiskKind;
  readonly flush?: Flush;
  readonly tuning?: Partial<ReplicaTuning>;
  readonly retentionBytes?: number;
  readonly recoverFromPeers?: boolean;
  /** Where a node's files are, if not below `directory`. */
  readonly directoryOf?: (nodeId: number) => string;
  /** Called before the first node starts. */
  readonly prepare?: (cluster: Cluster) => Promise<void>;
  /** See `NodeSettings`. */
  readonly routesOf?: (nodeId: number, cluster: Cluster) => Promise<Record<string, string>>;
}

export interface StartOptions {
  readonly ifMissing?: IfMissing;
  readonly fault?: string;
}

const TUNING: Partial<ReplicaTuning> = {
  segmentBytes: 1024 * 1024,
  snapshotEveryBytes: 1024 * 1024,
  tailBytesMax: 1024 * 1024,
};
const LEADER_TIMEOUT_MS = 20_000;
const SETTLE_TIMEOUT_MS = 60_000;
const EVENT_COUNT_MAX = 2_000;
const EVENT_COUNT_SHOWN = 20;

export class Cluster {
  readonly events: NodeEvent[] = [];
  readonly #init: ClusterInit;
  readonly #nodes = new Map<number, NodeProcess>();
  readonly #ports = new Map<number, number>();

  /** Nothing runs yet: see {@link startAll}. */
  constructor(init: ClusterInit) {
    this.#init = init;
    mkdirSync(init.directory, { recursive: true });
  }

  static async start(init: ClusterInit): Promise<Cluster> {
    const cluster = new Cluster(init);
    try {
      await init.prepare?.(cluster);
      await cluster.startAll("found");
      await cluster.leader();
      return cluster;
    } catch (error) {
      await cluster.dispose();
      throw error;
    }
  }

  /** Those whose processes serve. */
  readonly serving = (): readonly NodeProcess[] => {
    return [...this.#nodes.values()].filter(({ isServing }) => isServing);
  };

  /** @throws ProcessCallError `NOT_RUNNING` */
  node(nodeId: number): NodeProcess {
    const node = this.#nodes.get(nodeId);
    if (node !== undefined && !node.hasEnded) return node;
    const message = node?.describe() ?? "it was never started";
    const report = { name: "NotThere", code: "NOT_RUNNING", message };
    throw new ProcessCallError(`node ${nodeId}`, report);
  }

  founders(): readonly number[] {
    return this.#init.nodeIds ?? [1, 2, 3];
  }

  directoryOf(nodeId: number): string {
    return this.#init.directoryOf?.(nodeId) ?? join(this.#init.directory, `node-${nodeId}`);
  }

  /** Where the group's log is. */
  logDirectoryOf(nodeId: number): string {
    return join(this.directoryOf(nodeId), "group-0", "log");
  }

  async addressOf(nodeId: number): Promise<string> {
    const port = this.#ports.get(nodeId) ?? (await freePort());
    this.#ports.set(nodeId, port);
    return `127.0.0.1:${port}`;
  }

  async startAll(ifMissing: IfMissing = "fail"): Promise<void> {
    await Promise.all(this.founders().map((nodeId) => this.start(nodeId, { ifMissing })));
  }

  /** Starts a node's process, and waits until it serves. */
  async start(nodeId: number, options: StartOptions = {}): Promise<NodeProcess> {
    const node = await this.launch(nodeId, options);
    await node.ready();
    return node;
  }

  /** Starts a node's process, which may fail to open. */
  async launch(nodeId: number, options: StartOptions = {}): Promise<NodeProcess> {
    const { disk = "real", flush, tuning, retentionBytes, prng, routesOf } = this.#init;
    const { recoverFromPeers = false } = this.#init;
    const { ifMissing = "fail", fault } = options;
    const listen = await this.addressOf(nodeId);
    const known = ifMissing === "join" ? [nodeId] : [...new Set([...this.founders(), nodeId])];
    const peers: Record<number, string> = {};
    for (const id of known) peers[id] = await this.addressOf(id);
    const settings: NodeSettings = {
      nodeId,
      directory: this.directoryOf(nodeId),
      listen,
      peers,
      ifMissing,
      disk,
      tuning: { ...TUNING, ...tuning },
      seed: prng.uint32(),
      recoverFromPeers,
      ...(flush === undefined ? {} : { flush }),
      ...(fault === undefined ? {} : { fault }),
      ...(retentionBytes === undefined ? {} : { retentionBytes }),
      ...(routesOf === undefined ? {} : { routes: await routesOf(nodeId, this) }),
    };
    const node = new NodeProcess(settings, (event) => {
      this.events.push(event);
      if (this.events.length > EVENT_COUNT_MAX) this.events.shift();
    });
    this.#nodes.set(nodeId, node);
    return node;
  }

  async kill(nodeId: number): Promise<void> {
    await this.node(nodeId).kill();
  }

  /** Removes all that a node that does not run has on its disk. */
  wipe(nodeId: number): void {
    rmSync(this.directoryOf(nodeId), { recursive: true, force: true });
  }

  /** The node that leads, once one serves that says so and that others follow. */
  async leader(timeoutMs: number = LEADER_TIMEOUT_MS): Promise<NodeProcess> {
    return until("a leader is elected", timeoutMs, async () => {
      const leaders = (await this.statuses()).filter(({ role }) => role === "leader");
      const newest = leaders.toSorted((a, b) => b.term - a.term)[0];
      return newest === undefined ? undefined : this.#nodes.get(newest.nodeId);
    });
  }

  /** One that serves, and does not lead. */
  async follower(): Promise<NodeProcess> {
    const leader = await this.leader();
    const others = this.serving().filter((node) => node !== leader);
    return this.#init.prng.pick(others);
  }

  /** Of those that serve and answer. */
  async statuses(): Promise<GroupStatus[]> {
    const answers = await Promise.allSettled(
      this.serving().map((node) => node.call("status", undefined)),
    );
    return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  }

  /** Waits until all that serve have applied the same, and reads it all. */
  async audit(): Promise<ReplicaAudit[]> {
    await until("all replicas agree on how far the log goes", SETTLE_TIMEOUT_MS, async () => {
      const statuses = await this.statuses();
      const [first] = statuses;
      if (first === undefined || statuses.length < this.serving().length) return undefined;
      const leader = statuses.find(({ role }) => role === "leader");
      if (leader === undefined) return undefined;
      const isSettled = statuses.every(
        ({ appliedIndex, firstOffset }) =>
          appliedIndex === leader.lastIndex && firstOffset === first.firstOffset,
      );
      return isSettled ? true : undefined;
    }).catch((error: unknown) => this.#explain(error, ""));
    return Promise.all(
      this.serving().map(async (node) => {
        return { nodeId: node.nodeId, audit: await node.call("audit", undefined) };
      }),
    );
  }

  /** Asks the leader, whoever it is, until it did it. What it refuses for good is thrown. */
  async byLeader<T>(what: string, ask: (leader: NodeProcess) => Promise<T>): Promise<T> {
    let last: unknown;
    return until(what, SETTLE_TIMEOUT_MS, async () => {
      try {
        return { value: await ask(await this.leader()) };
      } catch (error) {
        if (!isPassing(error)) throw error;
        last = error;
        return undefined;
      }
    }).then(
      ({ value }) => value,
      (error: unknown) => this.#explain(error, last instanceof Error ? last.message : ""),
    );
  }

  /** Adds a node that has nothing, as a voter. */
  async join(nodeId: number): Promise<void> {
    await this.start(nodeId, { ifMissing: "join" });
    const address = await this.addressOf(nodeId);
    await this.byLeader(`node ${nodeId} becomes a learner`, (leader) =>
      leader.call("addLearner", { nodeId, address }),
    );
    await this.byLeader(`node ${nodeId} becomes a voter`, (leader) =>
      leader.call("promote", { nodeId }),
    );
  }

  /** Takes a member out of the group; its process goes on, if it runs. */
  async remove(nodeId: number): Promise<void> {
    await this.byLeader(`node ${nodeId} is removed`, async (leader) => {
      const { configuration } = await leader.call("status", undefined);
      const members = [...configuration.voters, ...configuration.learners];
      if (members.some(({ id }) => id === nodeId)) await leader.call("remove", { nodeId });
    });
  }

  /** A node whose disk is of no use any more comes back as a new life of it. */
  async replaceLife(nodeId: number): Promise<void> {
    await this.remove(nodeId);
    this.wipe(nodeId);
    await this.join(nodeId);
  }

  /** Ends all processes, and removes all files. */
  async dispose(): Promise<void> {
    await Promise.all([...this.#nodes.values()].map((node) => node.kill()));
    for (const nodeId of this.#nodes.keys()) this.wipe(nodeId);
  }

  /** @throws Error that says what stands where. */
  async #explain(error: unknown, why: string): Promise<never> {
    const statuses = (await this.statuses()).map(describeStatus);
    const events = this.events
      .slice(-EVENT_COUNT_SHOWN)
      .map(({ nodeId, name, detail, at }) => `${Math.round(at)} node ${nodeId} ${name} ${detail}`);
    const message = error instanceof Error ? error.message : String(error);
    throw new Error([`${message}: ${why}`, ...statuses, ...events].join("\n    "), {
      cause: error,
    });
  }

  /** What came out of the processes that nobody asked for. */
  outputs(): string {
    return [...this.#nodes.values()]
      .filter(({ output }) => output !== "")
      .map(({ nodeId, output }) => `node ${nodeId}: ${output}`)
      .join("\n");
  }
}

const PASSING: ReadonlySet<string> = new Set([
  "NOT_LEADER",
  "OVERLOADED",
  "TIMEOUT",
  "LEADERSHIP_LOST",
  "NOT_RUNNING",
  "MEMBERSHIP_REFUSED",
  "CLOSED",
  "ENDED",
]);

function isPassing(error: unknown): boolean {
  return error instanceof ProcessCallError && PASSING.has(error.code ?? "");
}

function describeStatus(status: GroupStatus): string {
  const { nodeId, role, term, lastIndex, commitIndex, appliedIndex, firstOffset } = status;
  const { nextOffset, leaderId, firstIndex, syncedIndex } = status;
  const { voters, learners } = status.configuration;
  const ids = (members: typeof voters): string => members.map(({ id }) => id).join();
  const progress = status.progress.map(
    ({ id, state, matchIndex, nextIndex, pendingSnapshotIndex, isPaused, inflightCount }) =>
      `${id} ${state} match ${matchIndex} next ${nextIndex} snapshot ${pendingSnapshotIndex} ` +
      `under way ${inflightCount}${isPaused ? " paused" : ""}`,
  );
  return (
    `node ${nodeId} ${role} of term ${term} leader ${leaderId}, entries [${firstIndex}, ` +
    `${lastIndex}] synced ${syncedIndex} commit ${commitIndex} applied ${appliedIndex}, ` +
    `offsets [${firstOffset}, ${nextOffset}), voters ${ids(voters)}, ` +
    `learners ${ids(learners)}, progress: ${progress.join("; ")}`
  );
}
