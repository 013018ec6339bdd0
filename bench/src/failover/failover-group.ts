/** Three nodes that write when they lead, behind links that can be made to stall. */

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type LinkProxy, openLinkProxy } from "@quorumlog/transport/testing";
import { ForkedNode } from "../forked-node.ts";
import { freePorts } from "../free-ports.ts";
import type {
  FailoverAnswer,
  FailoverConfig,
  FailoverRequest,
  NodeState,
} from "./failover-node.ts";

const IDS = [1, 2, 3] as const;
const DEADLINE_MS = 30_000;

interface Node {
  readonly nodeId: number;
  readonly config: FailoverConfig;
  process: FailoverProcess;
}

type FailoverProcess = ForkedNode<FailoverRequest, FailoverAnswer>;

export class FailoverGroup {
  readonly #directory: string;
  readonly #nodes = new Map<number, Node>();
  /** By `from-to`, if links go through proxies. */
  readonly #links = new Map<string, LinkProxy>();
  #onFirstAck: (nodeId: number, at: number) => void = () => undefined;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async start(folder: string, hasProxies: boolean): Promise<FailoverGroup> {
    const group = new FailoverGroup(mkdtempSync(join(folder, "failover-")));
    try {
      const ports = await freePorts(IDS.length);
      await Promise.all(IDS.map((nodeId) => group.#prepare(nodeId, ports, hasProxies)));
      return group;
    } catch (error) {
      await group.stop();
      throw error;
    }
  }

  /** Tells of the first acknowledged append of each reign, from now on. */
  onFirstAck(run: (nodeId: number, at: number) => void): void {
    this.#onFirstAck = run;
  }

  async setRate(perSecond: number): Promise<void> {
    for (const nodeId of IDS) await this.ask(nodeId, { type: "rate", perSecond });
  }

  async peak(ms: number): Promise<number> {
    const answer = await this.ask(await this.leader(), { type: "peak", ms });
    return answer.type === "peak" ? answer.perSecond : Number.NaN;
  }

  /** The node that all agree on, once no node is behind by much. */
  async leader(): Promise<number> {
    const deadline = performance.now() + DEADLINE_MS;
    for (;;) {
      const states = await Promise.all(IDS.map((nodeId) => this.state(nodeId)));
      const leaders = new Set(states.map(({ leaderId }) => leaderId));
      const [leaderId] = leaders;
      const front = Math.max(...states.map(({ commitIndex }) => commitIndex));
      const isClose = states.every(({ appliedIndex }) => appliedIndex > front - 200);
      if (leaders.size === 1 && leaderId !== undefined && isClose) return leaderId;
      if (performance.now() > deadline) throw new Error("the group did not settle in time");
      await pause(20);
    }
  }

  async state(nodeId: number): Promise<NodeState> {
    const answer = await this.ask(nodeId, { type: "state" });
    if (answer.type === "state") return answer.state;
    throw new Error(`not an answer about state: ${answer.type}`);
  }

  ask(nodeId: number, request: FailoverRequest): Promise<FailoverAnswer> {
    return this.#node(nodeId).process.ask(request);
  }

  signal(nodeId: number, signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    this.#node(nodeId).process.signal(signal);
  }

  async restart(nodeId: number, perSecond: number): Promise<void> {
    const node = this.#node(nodeId);
    node.process = this.#fork(node.config);
    await node.process.nextAnswer();
    await this.ask(nodeId, { type: "rate", perSecond });
  }

  /** From now on nothing passes to or from the node, and nobody is told. */
  isolate(nodeId: number): void {
    for (const [name, link] of this.#links)
      if (name.split("-").includes(String(nodeId))) link.stall();
  }

  async heal(): Promise<void> {
    await Promise.all([...this.#links.values()].map((link) => link.heal()));
  }

  async stop(): Promise<void> {
    for (const { process } of this.#nodes.values()) process.signal("SIGKILL");
    for (const link of this.#links.values()) await link.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #prepare(nodeId: number, ports: readonly number[], hasProxies: boolean): Promise<void> {
    const peers: Record<number, string> = {};
    for (const to of IDS) {
      const port = ports[to - 1] as number;
      const link =
        hasProxies && to !== nodeId ? await openLinkProxy({ host: "127.0.0.1", port }) : undefined;
      if (link !== undefined) this.#links.set(`${nodeId}-${to}`, link);
      peers[to] = link?.address ?? `127.0.0.1:${port}`;
    }
    const listen = `127.0.0.1:${ports[nodeId - 1]}`;
    const config = { nodeId, directory: join(this.#directory, `${nodeId}`), listen, peers };
    const process = this.#fork(config);
    this.#nodes.set(nodeId, { nodeId, config, process });
    await process.nextAnswer();
  }

  #fork(config: FailoverConfig): FailoverProcess {
    return new ForkedNode(new URL("./failover-node.js", import.meta.url), config, (message) => {
      if (message.type !== "firstAck") return false;
      this.#onFirstAck(message.nodeId, message.at);
      return true;
    });
  }

  #node(nodeId: number): Node {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) throw new Error(`there is no node ${nodeId}`);
    return node;
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
