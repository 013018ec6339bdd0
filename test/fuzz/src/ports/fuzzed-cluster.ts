/**
 * A NameServer and three brokers with all their ports on real sockets, in this process: whatever
 * nobody catches is heard of here. Between the brokers are proxies that may change bytes.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Broker } from "@quorumlog/broker";
import { NameServer } from "@quorumlog/nameserver";
import { freePort } from "@quorumlog/transport/testing";
import { CorruptingProxy } from "./corrupting-proxy.ts";

const NODE_IDS: readonly number[] = [1, 2, 3];
const TOKEN = "sixteen bytes and more";
const ANY_PORT = "127.0.0.1:0";
const SEGMENT_BYTES = 1024 * 1024;

export interface FuzzedPort {
  readonly kind: "client" | "nameserver" | "peer" | "metrics";
  readonly port: number;
}

export class FuzzedCluster {
  /** What nobody has caught, and what was said to be a defect. */
  readonly defects: unknown[] = [];
  readonly #folder: string = mkdtempSync(join(tmpdir(), "quorumlog-fuzz-"));
  readonly #brokers: Broker[] = [];
  readonly #proxies: CorruptingProxy[] = [];
  readonly #peerPorts: number[] = [];
  #nameServer: NameServer | undefined;
  readonly #onUncaught = (error: unknown): void => {
    this.defects.push(error);
  };

  static async open(): Promise<FuzzedCluster> {
    const cluster = new FuzzedCluster();
    process.on("uncaughtException", cluster.#onUncaught);
    process.on("unhandledRejection", cluster.#onUncaught);
    await cluster.#start();
    return cluster;
  }

  get nameServers(): string[] {
    return [(this.#nameServer as NameServer).address];
  }

  get ports(): FuzzedPort[] {
    return [
      ...this.#brokers.map(({ port }) => ({ kind: "client" as const, port })),
      { kind: "nameserver", port: (this.#nameServer as NameServer).port },
      ...this.#peerPorts.map((port) => ({ kind: "peer" as const, port })),
      ...[...this.#brokers, this.#nameServer].map((process) => ({
        kind: "metrics" as const,
        port: process?.metricsPort ?? 0,
      })),
    ];
  }

  get proxies(): readonly CorruptingProxy[] {
    return this.#proxies;
  }

  get brokers(): readonly Broker[] {
    return this.#brokers;
  }

  async close(): Promise<void> {
    await Promise.all(this.#brokers.map((broker) => broker.close()));
    await this.#nameServer?.close();
    for (const proxy of this.#proxies) proxy.close();
    process.off("uncaughtException", this.#onUncaught);
    process.off("unhandledRejection", this.#onUncaught);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    const onDefect = this.#onUncaught;
    this.#nameServer = await NameServer.open({ listen: ANY_PORT, metrics: ANY_PORT }, { onDefect });
    this.#peerPorts.push(...(await Promise.all(NODE_IDS.map(() => freePort()))));
    for (const port of this.#peerPorts) this.#proxies.push(await CorruptingProxy.open(() => port));
    const peers = Object.fromEntries(
      NODE_IDS.map((id, i) => [id, `127.0.0.1:${this.#proxies[i]?.port}`]),
    );
    const opened = NODE_IDS.map((nodeId, i) =>
      Broker.open({
        listen: ANY_PORT,
        metrics: ANY_PORT,
        nameServers: this.nameServers,
        replica: {
          directory: join(this.#folder, `node-${nodeId}`),
          clusterId: "fuzz",
          nodeId,
          peers,
          listen: `127.0.0.1:${this.#peerPorts[i]}`,
          token: TOKEN,
          ifMissing: "found",
          tuning: { segmentBytes: SEGMENT_BYTES },
        },
        onEvent: (event) => {
          if (event.type === "failed") this.defects.push(event.error);
        },
        onIndexFailure: onDefect,
        onDefect,
      }),
    );
    this.#brokers.push(...(await Promise.all(opened)));
  }
}
