/** The servers of one cluster, of which one may be killed and started again. */

import { ServerProcess, type ServerCommand } from "./server-process.ts";

export class ServerGroup {
  #servers: ServerProcess[];
  #killed: number | undefined;

  constructor(commands: readonly ServerCommand[]) {
    this.#servers = commands.map((command) => new ServerProcess(command));
  }

  get pids(): number[] {
    return this.#servers.map(({ pid }) => pid);
  }

  server(at: number): ServerProcess {
    const server = this.#servers[at];
    if (server === undefined) throw new RangeError(`there is no server ${at}`);
    return server;
  }

  /** Whatever was killed is not among them. */
  get running(): number[] {
    return [...this.#servers.keys()].filter((at) => at !== this.#killed);
  }

  async kill(at: number): Promise<void> {
    if (this.#killed !== undefined) throw new Error(`server ${this.#killed} is down already`);
    this.#killed = at;
    await this.server(at).kill();
  }

  /** Starts what was killed, if anything was. */
  restart(): void {
    if (this.#killed === undefined) return;
    this.#servers[this.#killed] = this.server(this.#killed).restarted();
    this.#killed = undefined;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.kill()));
  }
}

/**
 * Starts servers, and waits for the cluster that they are.
 *
 * @param made - The cluster; not whether it serves.
 * @param serves - Settles when it does.
 * @throws what either throws, when all servers have been stopped.
 */
export async function startCluster<Cluster extends { readonly stop: () => Promise<void> }>(
  commands: readonly ServerCommand[],
  made: (servers: ServerGroup) => Cluster | Promise<Cluster>,
  serves: (cluster: Cluster) => Promise<void>,
): Promise<Cluster> {
  const servers = new ServerGroup(commands);
  let stop = (): Promise<void> => servers.stop();
  try {
    const cluster = await made(servers);
    stop = () => cluster.stop();
    await serves(cluster);
    return cluster;
  } catch (error) {
    await stop();
    throw error;
  }
}
