/** Three processes of a kind, started for one measurement and ended with it. */

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ForkedNode } from "../forked-node.ts";
import { freePorts } from "../free-ports.ts";
import type { LoadConfig, LoadResult } from "./append-load.ts";
import type { Answer, NodeConfig, Request, Usage } from "./node-process.ts";

export type NodeKind = "bare" | "log";

type NodeProcess = ForkedNode<Request, Answer>;

const NODE_COUNT = 3;

export class NodeGroup {
  readonly #directory: string;
  readonly #processes: readonly NodeProcess[];

  private constructor(directory: string, processes: readonly NodeProcess[]) {
    this.#directory = directory;
    this.#processes = processes;
  }

  static async start(kind: NodeKind, folder: string): Promise<NodeGroup> {
    const directory = mkdtempSync(join(folder, `${kind}-`));
    const free = await freePorts(NODE_COUNT);
    const ports = Object.fromEntries(free.map((port, at) => [at + 1, port]));
    const processes: NodeProcess[] = [];
    const group = new NodeGroup(directory, processes);
    const start = (nodeId: number): Promise<Answer> => {
      const config: NodeConfig = { nodeId, directory: join(directory, `${nodeId}`), ports };
      const file = new URL(`./${kind}-node.js`, import.meta.url);
      const process: NodeProcess = new ForkedNode(file, config);
      processes.push(process);
      return process.nextAnswer();
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
    const answer = await (this.#processes.at(-1) as NodeProcess).ask({ type: "load", load });
    if (answer.type === "result") return answer.result;
    throw new Error(`not an answer to a load: ${answer.type}`);
  }

  /** Of each process, node 1 last. */
  usage(): Promise<Usage[]> {
    return Promise.all(
      this.#processes.map(async (process) => {
        const answer = await process.ask({ type: "usage" });
        if (answer.type === "usage") return answer.usage;
        throw new Error(`not an answer about usage: ${answer.type}`);
      }),
    );
  }

  stop(): void {
    for (const process of this.#processes) process.signal("SIGKILL");
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
