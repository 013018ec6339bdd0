/** What the parts of one TCP transport share. */

import type { Socket } from "node:net";
import type { SlabPool } from "@quorumlog/std";
import type { GroupTable } from "./group-table.ts";
import type { Credentials } from "./handshake.ts";
import type { Scheduler } from "./scheduler.ts";
import type { LimitedLog, Log } from "./transport-log.ts";
import type { TransportOptions } from "./transport-options.ts";
import type { TransportCounters } from "./transport-status.ts";

export interface TransportContext {
  readonly options: TransportOptions;
  readonly credentials: Credentials;
  readonly scheduler: Scheduler;
  /** In `[0, 1)`. */
  readonly random: () => number;
  readonly log: Log;
  /** For what strangers can cause. */
  readonly limitedLog: LimitedLog;
  readonly counters: TransportCounters;
  readonly groups: GroupTable;
  readonly sockets: SocketSet;
  /** For what is received. */
  readonly memory: SlabPool;
}

/** Every socket that is not closed yet, so that none is left behind. */
export class SocketSet {
  readonly #sockets = new Set<Socket>();
  #onEmpty: (() => void) | undefined;

  add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#onEmpty?.();
    });
  }

  /** Destroys all, then calls back. */
  destroyAll(onClosed: () => void): void {
    this.#onEmpty = onClosed;
    if (this.#sockets.size === 0) onClosed();
    for (const socket of this.#sockets) socket.destroy();
  }
}
