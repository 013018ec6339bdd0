/** A whole cluster on this machine: NameServers and broker groups, each node a process. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { nodeFileSystem } from "@quorumlog/log";
import { OperationError } from "@quorumlog/protocol";
import { withProgress } from "../progress.ts";
import { UsageError } from "../settings.ts";
import { Child } from "./child-process.ts";
import {
  type ClusterPlan,
  groupNameOf,
  planOf,
  type PlanWish,
  type TlsFiles,
  writeBroker,
  writeNameServer,
} from "./cluster-plan.ts";
import { untilFree } from "./port-wait.ts";

export interface LocalClusterOptions extends PlanWish {
  /** One has ended, and nobody here asked it to: it is not started again by itself. */
  readonly onLost: (child: Child) => void;
  readonly signal: AbortSignal;
}

interface Lock {
  release(): void;
}

export class LocalCluster implements AsyncDisposable {
  readonly #plan: ClusterPlan;
  readonly #lock: Lock;
  readonly #nameServers: readonly Child[];
  readonly #brokers: ReadonlyMap<number, Child>;

  private constructor(options: LocalClusterOptions, plan: ClusterPlan, lock: Lock) {
    const { dataDir, onLost } = options;
    const logDir = join(dataDir, "logs");
    // By a second interrupt, or a defect: nothing is left behind.
    process.once("exit", () => {
      for (const child of this.children) child.killNow();
    });
    mkdirSync(logDir, { recursive: true, mode: 0o700 });
    this.#plan = plan;
    this.#lock = lock;
    this.#nameServers = plan.nameServers.map((address, i) => {
      const name = `nameserver-${i + 1}`;
      const config = writeNameServer(address, plan, dataDir);
      const logFile = join(logDir, `${name}.log`);
      return new Child({ name, command: "nameserver", config, logFile, onLost });
    });
    this.#brokers = new Map(
      plan.nodes.map((node) => {
        const name = `${groupNameOf(node.groupId)}-${node.nodeId}`;
        const config = writeBroker(node, plan, dataDir);
        const logFile = join(logDir, `${name}.log`);
        return [node.nodeId, new Child({ name, command: "broker", config, logFile, onLost })];
      }),
    );
  }

  /**
   * @throws UsageError if another process has the data, or a port; ChildError if one of its
   *   processes does not start
   */
  static async start(options: LocalClusterOptions): Promise<LocalCluster> {
    const lock = lockOf(options.dataDir);
    try {
      const cluster = new LocalCluster(options, await planOf(options), lock);
      const onAbort = (): void => {
        for (const child of cluster.children) child.killNow();
      };
      options.signal.addEventListener("abort", onAbort, { once: true });
      try {
        await cluster.#start(options.signal);
        return cluster;
      } catch (error) {
        await cluster.stop();
        if (!options.signal.aborted) throw error;
        throw new OperationError("ABORTED", "the start was interrupted", { cause: error });
      } finally {
        options.signal.removeEventListener("abort", onAbort);
      }
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** As `host:port`. */
  get nameServers(): readonly string[] {
    return this.#plan.nameServers;
  }

  /** Of the ports for clients; `undefined`: without TLS. */
  get tls(): TlsFiles | undefined {
    return this.#plan.tls;
  }

  get groupCount(): number {
    return new Set(this.#plan.nodes.map(({ groupId }) => groupId)).size;
  }

  get children(): readonly Child[] {
    return [...this.#nameServers, ...this.#brokers.values()];
  }

  /** Of brokers that run as children of this process, by the nodes' ids. */
  get pids(): ReadonlyMap<number, number> {
    const running = [...this.#brokers].flatMap(([nodeId, { pid }]) =>
      pid === undefined ? [] : [[nodeId, pid] as const],
    );
    return new Map(running);
  }

  /** @throws RangeError if there is no such node */
  broker(nodeId: number): Child {
    const child = this.#brokers.get(nodeId);
    if (child === undefined) throw new RangeError(`there is no node ${nodeId}`);
    return child;
  }

  /** Brokers first, who tell NameServers that they go. Idempotent. */
  async stop(): Promise<void> {
    await Promise.all([...this.#brokers.values()].map((child) => child.stop()));
    await Promise.all(this.#nameServers.map((child) => child.stop()));
    this.#lock.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { nameServers, nodes } = this.#plan;
    const addresses = nodes.flatMap(({ client, peer }) => [client, peer]);
    await withProgress("the ports are in use: a former cluster may be ending", () =>
      untilFree([...nameServers, ...addresses], signal),
    );
    if (signal.aborted) throw new OperationError("ABORTED", "the start was interrupted");
    await Promise.all(this.#nameServers.map((child) => child.start()));
    // Those of a group wait for each other: if one fails, the others would wait for ever.
    await new Promise<void>((resolve, reject) => {
      const starts = [...this.#brokers.values()].map((child) => child.start());
      for (const start of starts) start.catch(reject);
      Promise.all(starts).then(() => {
        resolve();
      }, reject);
    });
  }
}

/** @throws UsageError that names who has it */
function lockOf(dataDir: string): Lock {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const lock = nodeFileSystem.lock(dataDir);
  if ("release" in lock) return lock;
  const advice = "stop that one, or name another --data";
  throw new UsageError([`${dataDir} is in use by ${lock.heldBy}: ${advice}`]);
}
