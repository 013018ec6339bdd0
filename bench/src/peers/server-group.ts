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
