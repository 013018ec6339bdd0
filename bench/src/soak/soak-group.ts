/** Three nodes under a soak, and what they tell of themselves. */

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ForkedNode } from "../forked-node.ts";
import { freePorts } from "../free-ports.ts";
import type {
  NodeSample,
  ReadBack,
  SoakAnswer,
  SoakConfig,
  SoakRequest,
  SoakState,
} from "./soak-node.ts";

type SoakProcess = ForkedNode<SoakRequest, SoakAnswer>;

export interface SoakListener {
  readonly onSample: (sample: NodeSample) => void;
  readonly onTrouble: (what: string) => void;
}

/** What is left of the group when the load has ended. */
export interface Reckoning {
  readonly from: number;
  readonly to: number;
  readonly readBacks: readonly ReadBack[];
}

const NODE_COUNT = 3;
const SETTLE_MS_MAX = 60_000;
/** A small share of a slow machine's peak takes minutes to fill a log. */
const FILL_MS_MAX = 1_200_000;
const LOOK_MS = 50;

export class SoakGroup {
  readonly #directory: string;
  readonly #processes: SoakProcess[] = [];

  static async start(folder: string, listener: SoakListener): Promise<SoakGroup> {
    const group = new SoakGroup(mkdtempSync(join(folder, "soak-")));
    try {
      const ports = await freePorts(NODE_COUNT);
      const peers = Object.fromEntries(ports.map((port, i) => [i + 1, `127.0.0.1:${port}`]));
      for (const nodeId of [1, 2, 3]) group.#fork({ nodeId, peers }, listener);
      await Promise.all(group.#processes.map((process) => process.nextAnswer()));
      return group;
    } catch (error) {
      group.stop();
      throw error;
    }
  }

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Node 1 makes the load, so it is to lead. */
  async haveFirstLead(): Promise<void> {
    await this.#until("node 1 to lead", async () => {
      const [first] = await this.states();
      if (first?.leaderId === 1) return true;
      if (first?.leaderId !== undefined)
        await this.#process(first.leaderId).ask({ type: "lead", nodeId: 1 });
      return false;
    });
  }

  /** @returns appends per second, each of an entry's size, with thousands under way. */
  async peak(ms: number): Promise<number> {
    const answer = await this.#process(1).ask({ type: "peak", ms });
    if (answer.type === "peak") return answer.perSecond;
    throw new Error(`not an answer about the peak: ${answer.type}`);
  }

  async setRate(perSecond: number): Promise<void> {
    await this.#process(1).ask({ type: "rate", perSecond });
  }

  /** Has a reader follow the end of the log on a follower. */
  async tailOn(nodeId: number): Promise<void> {
    await this.#process(nodeId).ask({ type: "tail" });
  }

  states(): Promise<SoakState[]> {
    return Promise.all(
      this.#processes.map(async (process) => {
        const answer = await process.ask({ type: "state" });
        if (answer.type === "state") return answer.state;
        throw new Error(`not an answer about state: ${answer.type}`);
      }),
    );
  }

  /** Waits until the log is as long as it is ever to be, so that what follows is steady. */
  async untilTrimmed(): Promise<void> {
    const isTrimmed = async (): Promise<boolean> => {
      const states = await this.states();
      return states.every(({ firstOffset }) => firstOffset > 0);
    };
    await this.#until("a first trim on every node", isTrimmed, FILL_MS_MAX);
  }

  /** Reads back, on all nodes, what all of them retain. */
  async reckon(): Promise<Reckoning> {
    await this.setRate(0);
    await this.#until("all nodes to be equally far", async () => {
      const states = await this.states();
      const ends = new Set(states.map(({ nextOffset }) => nextOffset));
      return ends.size === 1 && states.every(({ underWay }) => underWay === 0);
    });
    const states = await this.states();
    const from = Math.max(...states.map(({ firstOffset }) => firstOffset));
    const to = Math.min(...states.map(({ nextOffset }) => nextOffset));
    const readBacks = await Promise.all(
      this.#processes.map(async (process) => {
        const answer = await process.ask({ type: "readBack", from, to });
        if (answer.type === "readBack") return answer.readBack;
        throw new Error(`not an answer about what is read back: ${answer.type}`);
      }),
    );
    return { from, to, readBacks };
  }

  stop(): void {
    for (const process of this.#processes) process.signal("SIGKILL");
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #fork(place: Omit<SoakConfig, "directory">, { onSample, onTrouble }: SoakListener): void {
    const config: SoakConfig = { ...place, directory: join(this.#directory, `${place.nodeId}`) };
    const file = new URL("./soak-node.js", import.meta.url);
    const process: SoakProcess = new ForkedNode(file, config, (message) => {
      if (message.type === "sample") onSample(message.sample);
      else if (message.type === "trouble") onTrouble(`node ${message.nodeId}: ${message.what}`);
      else return false;
      return true;
    });
    this.#processes.push(process);
  }

  async #until(what: string, isSo: () => Promise<boolean>, ms = SETTLE_MS_MAX): Promise<void> {
    const deadline = performance.now() + ms;
    while (!(await isSo())) {
      if (performance.now() > deadline) throw new Error(`waited too long for ${what}`);
      await pause(LOOK_MS);
    }
  }

  #process(nodeId: number): SoakProcess {
    const process = this.#processes[nodeId - 1];
    if (process === undefined) throw new Error(`there is no node ${nodeId}`);
    return process;
  }
}
