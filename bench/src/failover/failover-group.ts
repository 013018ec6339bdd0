/** Three nodes that write when they lead, behind links that can be made to stall. */

import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type LinkProxy, openLinkProxy } from "@quorumlog/transport/testing";
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
  child: ChildProcess;
}

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
    const { child } = this.#node(nodeId);
    const answer = nextAnswer(child);
    child.send(request);
    return answer;
  }

  signal(nodeId: number, signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    this.#node(nodeId).child.kill(signal);
  }

  async restart(nodeId: number, perSecond: number): Promise<void> {
    const node = this.#node(nodeId);
    node.child = this.#fork(node.config);
    await nextAnswer(node.child);
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
    for (const { child } of this.#nodes.values()) child.kill("SIGKILL");
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
    const child = this.#fork(config);
    this.#nodes.set(nodeId, { nodeId, config, child });
    await nextAnswer(child);
  }

  #fork(config: FailoverConfig): ChildProcess {
    const child = fork(new URL("./failover-node.js", import.meta.url), [JSON.stringify(config)]);
    child.on("message", (message: FailoverAnswer) => {
      if (message.type === "firstAck") this.#onFirstAck(message.nodeId, message.at);
    });
    return child;
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

function nextAnswer(child: ChildProcess): Promise<FailoverAnswer> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null, signal: string | null): void => {
      reject(new Error(`a node of the measurement ended: ${code ?? signal}`));
    };
    const onMessage = (message: FailoverAnswer): void => {
      if (message.type === "firstAck") return;
      child.off("exit", onExit);
      child.off("message", onMessage);
      resolve(message);
    };
    child.once("exit", onExit);
    child.on("message", onMessage);
  });
}
