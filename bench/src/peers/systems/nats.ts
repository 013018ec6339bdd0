/** NATS JetStream: one stream of three replicas in files. */

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jetstream, type JetStreamClient, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { freePorts } from "../../free-ports.ts";
import { programFile, versionOf } from "../installed-program.ts";
import {
  NODE_COUNT,
  type PeerClient,
  type PeerCluster,
  type PeerSystem,
  type Reader,
  SEND_DEADLINE_MS,
  SERVER_DEADLINE_MS,
} from "../peer-system.ts";
import { type ServerGroup, startCluster } from "../server-group.ts";

const STORE_BYTES = "64GB";
const RECONNECT_WAIT_MS = 20;
const ATTEMPT_MS = 5_000;
const READ_AHEAD_MESSAGES = 5_000;

export const NATS: PeerSystem = {
  name: "nats",
  programs: ["nats-server"],
  install: "apt-get install nats-server",
  start: (directory) => NatsCluster.start(directory),
  connect: async (addresses) => new NatsClient(await connection(addresses)),
};

class NatsCluster implements PeerCluster {
  readonly version: string;
  readonly durability: string;
  readonly #servers: ServerGroup;
  readonly #addresses: readonly string[];

  private constructor(servers: ServerGroup, addresses: readonly string[], syncs: boolean) {
    this.#servers = servers;
    this.#addresses = addresses;
    this.version = versionOf(programFile("nats-server"), ["--version"]);
    this.durability = syncs
      ? "fsync on a majority (sync_interval: always)"
      : "no fsync: this version has no sync_interval";
  }

  static async start(directory: string): Promise<NatsCluster> {
    const program = programFile("nats-server");
    const ports = await freePorts(2 * NODE_COUNT);
    const ats = Array.from({ length: NODE_COUNT }, (_, at) => at);
    const routes = ats.map((at) => `nats://127.0.0.1:${ports[NODE_COUNT + at]}`);
    const write = (at: number, sync: string): string => {
      const file = join(directory, `${at}.conf`);
      const lines = [
        `server_name: "${nameOf(at)}"`,
        `listen: "127.0.0.1:${ports[at]}"`,
        `jetstream { store_dir: "${join(directory, `${at}`)}", max_file: ${STORE_BYTES}${sync} }`,
        `cluster {`,
        `  name: "bench", listen: "127.0.0.1:${ports[NODE_COUNT + at]}"`,
        `  routes: [${routes.map((route) => `"${route}"`).join(", ")}]`,
        `}`,
      ];
      mkdirSync(join(directory, `${at}`), { recursive: true });
      writeFileSync(file, `${lines.join("\n")}\n`);
      return file;
    };
    // A version says by itself whether it has the setting: it refuses what it does not know.
    const probe = ["-t", "-c", write(0, ", sync_interval: always")];
    const syncs = spawnSync(program, probe, { timeout: SERVER_DEADLINE_MS }).status === 0;
    const commands = ats.map((at) => ({
      program,
      words: ["-c", write(at, syncs ? ", sync_interval: always" : "")],
      directory,
      logFile: join(directory, `${at}.log`),
    }));
    const addresses = ats.map((at) => `127.0.0.1:${ports[at]}`);
    return startCluster(
      commands,
      (servers) => new NatsCluster(servers, addresses, syncs),
      (cluster) => cluster.#allServe(),
    );
  }

  pids(): readonly number[] {
    return this.#servers.pids;
  }

  async createTopic(topic: string): Promise<void> {
    await this.#managed(async (manager) => {
      await manager.streams.add({
        name: topic,
        subjects: [topic],
        storage: "file",
        num_replicas: NODE_COUNT,
      });
    });
  }

  async deleteTopic(topic: string): Promise<void> {
    await this.#managed(async (manager) => {
      await manager.streams.delete(topic);
    });
  }

  async addresses(topic: string): Promise<readonly string[]> {
    const leader = await this.#leader(topic);
    return [...this.#addresses.slice(leader), ...this.#addresses.slice(0, leader)];
  }

  async killLeader(topic: string): Promise<void> {
    await this.#servers.kill(await this.#leader(topic));
  }

  async restart(topic: string): Promise<void> {
    this.#servers.restart();
    await this.#allServe();
    const server = this.#servers.server(0);
    await server.until("all replicas are current", SERVER_DEADLINE_MS, async () => {
      const replicas = await this.#managed(async (manager) => {
        const { cluster } = await manager.streams.info(topic);
        return cluster?.replicas ?? [];
      });
      const current = replicas.filter((replica) => replica.current);
      return current.length === NODE_COUNT - 1 ? true : undefined;
    });
  }

  stop(): Promise<void> {
    return this.#servers.stop();
  }

  async #leader(topic: string): Promise<number> {
    return this.#servers
      .server(this.#someRunning())
      .until("leads", SERVER_DEADLINE_MS, async () => {
        const name = await this.#managed(
          async (manager) => (await manager.streams.info(topic)).cluster?.leader,
        );
        const at = this.#addresses.findIndex((_, each) => nameOf(each) === name);
        return at < 0 ? undefined : at;
      });
  }

  /** Returns when each of them knows who leads them, and answers for JetStream. */
  async #allServe(): Promise<void> {
    for (const [at, address] of this.#addresses.entries())
      await this.#servers.server(at).until("serves", SERVER_DEADLINE_MS, async () => {
        const link = await connection([address]);
        try {
          await (await jetstreamManager(link)).getAccountInfo();
          return true;
        } finally {
          await link.close();
        }
      });
  }

  async #managed<Value>(
    run: (manager: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<Value>,
  ): Promise<Value> {
    const link = await connection(this.#servers.running.map((at) => this.#addresses[at] ?? ""));
    try {
      return await run(await jetstreamManager(link, { timeout: SEND_DEADLINE_MS }));
    } finally {
      await link.close();
    }
  }

  #someRunning(): number {
    return this.#servers.running[0] ?? 0;
  }
}

class NatsClient implements PeerClient {
  readonly #link: NatsConnection;
  readonly #stream: JetStreamClient;

  constructor(link: NatsConnection) {
    this.#link = link;
    this.#stream = jetstream(link, { timeout: SEND_DEADLINE_MS });
  }

  async send(topic: string, body: Buffer): Promise<void> {
    await this.#stream.publish(topic, body, { timeout: SEND_DEADLINE_MS });
  }

  async read(topic: string, onBody: (body: Uint8Array) => void): Promise<Reader> {
    // An ordered consumer: nothing is acknowledged by it, which is the cheapest way to read.
    const consumer = await this.#stream.consumers.get(topic);
    const messages = await consumer.consume({ max_messages: READ_AHEAD_MESSAGES });
    const reads = async (): Promise<void> => {
      for await (const { data } of messages) onBody(data);
    };
    const reading = reads();
    const stop = async (): Promise<void> => {
      await messages.close();
      await reading;
    };
    return { stop };
  }

  close(): Promise<void> {
    return this.#link.close();
  }
}

function nameOf(at: number): string {
  return `node-${at + 1}`;
}

function connection(addresses: readonly string[]): Promise<NatsConnection> {
  return connect({
    servers: [...addresses],
    noRandomize: true,
    timeout: ATTEMPT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: 0,
  });
}
