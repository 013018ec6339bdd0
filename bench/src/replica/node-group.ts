/** Three processes of a kind, started for one measurement and ended with it. */

import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../free-ports.ts";
import type { LoadConfig, LoadResult } from "./append-load.ts";
import type { Answer, NodeConfig, Request, Usage } from "./node-process.ts";

export type NodeKind = "bare" | "log";

const NODE_COUNT = 3;

export class NodeGroup {
  readonly #directory: string;
  readonly #children: readonly ChildProcess[];

  private constructor(directory: string, children: readonly ChildProcess[]) {
    this.#directory = directory;
    this.#children = children;
  }

  static async start(kind: NodeKind, folder: string): Promise<NodeGroup> {
    const directory = mkdtempSync(join(folder, `${kind}-`));
    const free = await freePorts(NODE_COUNT);
    const ports = Object.fromEntries(free.map((port, at) => [at + 1, port]));
    const children: ChildProcess[] = [];
    const group = new NodeGroup(directory, children);
    const start = (nodeId: number): Promise<Answer> => {
      const config: NodeConfig = { nodeId, directory: join(directory, `${nodeId}`), ports };
      const child = fork(new URL(`./${kind}-node.js`, import.meta.url), [JSON.stringify(config)]);
      children.push(child);
      return nextAnswer(child);
    };
    try {
      // A bare leader connects as it starts; replicas wait for each other.
      if (kind === "bare") for (const nodeId of [3, 2, 1]) await start(nodeId);
      else await Promise.all([3, 2, 1].map(start));
      return group;
    } catch (error) {
      group.stop();
      throw error;
    }
  }

  /** Runs a load on node 1. */
  async load(load: LoadConfig): Promise<LoadResult> {
    const answer = await ask(this.#children.at(-1) as ChildProcess, { type: "load", load });
    if (answer.type === "result") return answer.result;
    throw new Error(`not an answer to a load: ${answer.type}`);
  }

  /** Of each process, node 1 last. */
  usage(): Promise<Usage[]> {
    return Promise.all(
      this.#children.map(async (child) => {
        const answer = await ask(child, { type: "usage" });
        if (answer.type === "usage") return answer.usage;
        throw new Error(`not an answer about usage: ${answer.type}`);
      }),
    );
  }

  stop(): void {
    for (const child of this.#children) child.kill("SIGKILL");
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function ask(child: ChildProcess, request: Request): Promise<Answer> {
  const answer = nextAnswer(child);
  child.send(request);
  return answer;
}

function nextAnswer(child: ChildProcess): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null, signal: string | null): void => {
      reject(new Error(`a process of the measurement ended: ${code ?? signal}`));
    };
    child.once("exit", onExit);
    child.once("message", (message) => {
      child.off("exit", onExit);
      resolve(message as Answer);
    });
  });
}
