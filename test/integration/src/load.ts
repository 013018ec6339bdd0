/** Several clients at once. */

import type { Prng } from "@quorumlog/std";
import { Client } from "./client.ts";
import type { Journal } from "./journal.ts";
import type { NodeProcess } from "./node-process.ts";

export interface LoadInit {
  readonly journal: Journal;
  readonly prng: Prng;
  readonly nodes: () => readonly NodeProcess[];
  /** Clients that repeat what is ambiguous; default 2. */
  readonly sessions?: number;
  /** Clients that do not, each with three appends under way; default 2. */
  readonly plain?: number;
  readonly timeoutMs?: number;
  readonly thinkMs?: number;
  readonly recordBytes?: number;
}

const PLAIN_WIDTH = 3;

export class Load {
  readonly #clients: readonly Client[];

  constructor(init: LoadInit) {
    const { journal, prng, nodes, sessions = 2, plain = 2, timeoutMs = 5_000, thinkMs = 10 } = init;
    const first = 1 + Math.max(0, ...journal.clientIds());
    this.#clients = Array.from({ length: sessions + plain }, (_, i) => {
      return new Client({
        client: first + i,
        journal,
        prng: prng.fork(),
        hasSession: i < sessions,
        width: PLAIN_WIDTH,
        timeoutMs,
        thinkMs,
        nodes,
        ...(init.recordBytes === undefined ? {} : { recordBytes: init.recordBytes }),
      });
    });
  }

  get latencyMsMax(): number {
    return Math.round(Math.max(...this.#clients.map(({ latencyMsMax }) => latencyMsMax)));
  }

  refusals(): Readonly<Record<string, number>> {
    const all: Record<string, number> = {};
    for (const { refusals } of this.#clients)
      for (const [code, count] of refusals) all[code] = (all[code] ?? 0) + count;
    return all;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.stop()));
  }
}
