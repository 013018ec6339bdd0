/**
 * The listening end of a gRPC server: a port that takes so many connections, and drops the others
 * before anything is spent on them. The server itself has no such bound.
 */

import type { ConnectionInjector } from "@grpc/grpc-js";
import { createServer, type Server as Listener } from "node:net";

export interface ConnectionPortInit {
  /** As `host:port`; port 0 takes a free one. */
  readonly listen: string;
  readonly connectionCountMax: number;
  /** Of the gRPC server, with its credentials. */
  readonly injector: ConnectionInjector;
}

export class ConnectionPort {
  readonly #init: ConnectionPortInit;
  readonly #listener: Listener;
  #droppedCount = 0;

  constructor(init: ConnectionPortInit) {
    this.#init = init;
    this.#listener = createServer({ noDelay: true }, (socket) => {
      // A connection that breaks is its own affair; the streams on it end by themselves.
      socket.on("error", () => undefined);
      init.injector.injectConnection(socket);
    });
    this.#listener.maxConnections = init.connectionCountMax;
    this.#listener.on("drop", () => {
      this.#droppedCount += 1;
    });
  }

  /** Connections that were one too many, since it was opened. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  /** @returns its number. @throws Error of the system */
  open(): Promise<number> {
    const { listen } = this.#init;
    const at = listen.lastIndexOf(":");
    const host = listen.slice(0, at).replace(/^\[(.*)\]$/u, "$1");
    return new Promise((resolve, reject) => {
      this.#listener.once("error", reject);
      this.#listener.listen(Number(listen.slice(at + 1)), host, () => {
        this.#listener.off("error", reject);
        const address = this.#listener.address();
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
  }

  /** Takes no more; the connections that are there go on. */
  close(): void {
    this.#listener.close();
  }
}
