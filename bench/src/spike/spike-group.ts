/** Three servers of the spike and its load, each a process, for as many loads as are wanted. */

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ForkedNode } from "../forked-node.ts";
import { freePorts } from "../free-ports.ts";
import type { LoadAnswer, LoadConfig, LoadProcessConfig, LoadResult } from "./load.ts";
import type { ServerAnswer, ServerConfig } from "./server.ts";

export type SpikeServers = Pick<ServerConfig, "work" | "peers" | "sync">;

export type SpikeLoad = Omit<LoadConfig, "warmupMs" | "ms">;

export interface SpikeFigures extends LoadResult {
  readonly serverCpuMicrosPerMessage: number;
}

type ServerProcess = ForkedNode<object, ServerAnswer>;

const SERVER_FILE = new URL("./server.js", import.meta.url);
const LOAD_FILE = new URL("./load.js", import.meta.url);
const SERVER_COUNT = 3;

/** The servers that a bare counterpart is: opaque bytes over the same hops, and no consensus. */
export const BARE_SERVERS: SpikeServers = { work: "bare", peers: "tcp", sync: "pool" };

export class SpikeGroup {
  readonly #directory: string;
  readonly #servers: ServerProcess[] = [];
  #client: ForkedNode<LoadConfig, LoadAnswer> | undefined;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * @param folder - Where the temporary folder of the servers is made.
   * @param onProcess - Told of the process id of each as it starts.
   */
  static async start(
    servers: SpikeServers,
    folder: string,
    onProcess: (pid: number) => void = () => undefined,
  ): Promise<SpikeGroup> {
    const group = new SpikeGroup(mkdtempSync(join(folder, "spike-")));
    try {
      await group.#start(servers, onProcess);
      return group;
    } catch (error) {
      group.stop();
      throw error;
    }
  }

  async #start(servers: SpikeServers, onProcess: (pid: number) => void): Promise<void> {
    const [leaderPort = 0, ...followerPorts] = await freePorts(SERVER_COUNT);
    // The leader connects as it starts.
    for (const port of [...followerPorts, leaderPort]) {
      const role = port === leaderPort ? "leader" : "follower";
      const dir = join(this.#directory, `${port}`);
      const config: ServerConfig = { ...servers, role, port, dir, followerPorts };
      const server: ServerProcess = new ForkedNode(SERVER_FILE, config);
      this.#servers.push(server);
      onProcess(server.pid);
      await server.nextAnswer();
    }
    const config: LoadProcessConfig = { port: leaderPort, work: servers.work };
    this.#client = new ForkedNode(LOAD_FILE, config);
    onProcess(this.#client.pid);
    await this.#client.nextAnswer();
  }

  /** @param warmupMs - So long the same load runs before it is measured. */
  async load(
    load: SpikeLoad,
    timeMs: number,
    warmupMs: number = timeMs / 3,
  ): Promise<SpikeFigures> {
    const client = this.#client;
    if (client === undefined) throw new Error("a group has started when it is loaded");
    await client.ask({ ...load, warmupMs, ms: timeMs });
    const ending = client.nextAnswer();
    const before = await this.#cpuMicros();
    const result = await ending;
    if (typeof result === "string") throw new Error(`not the figures of a load: ${result}`);
    const cpu = (await this.#cpuMicros()) - before;
    const count = (result.messagesPerSecond * timeMs) / 1_000;
    return { ...result, serverCpuMicrosPerMessage: cpu / count };
  }

  stop(): void {
    this.#client?.signal("SIGKILL");
    for (const server of this.#servers) server.signal("SIGKILL");
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #cpuMicros(): Promise<number> {
    let sum = 0;
    for (const server of this.#servers) {
      const answer = await server.ask({});
      sum += answer === "ready" ? 0 : answer.cpuMicros;
    }
    return sum;
  }
}

const BARE_CONTAINER_BYTES = 256 * 1024;

/**
 * A load of messages as the bare counterpart has it: in containers, as many as hold what is under
 * way.
 *
 * @param containerBytes - Of each, if as much is under way.
 */
export function bareLoad(
  load: { readonly messageBytes: number; readonly inFlight: number },
  containerBytes: number = BARE_CONTAINER_BYTES,
): SpikeLoad {
  const { messageBytes, inFlight } = load;
  const bytes = Math.min(containerBytes, messageBytes * inFlight);
  return { messageBytes, inFlight, containerBytes: bytes, queues: 1 };
}
