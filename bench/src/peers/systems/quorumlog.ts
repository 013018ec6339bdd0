/** This project: a NameServer and a broker group of three, started by its own command line. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Admin, Producer, PullConsumer } from "@quorumlog/client";
import { freePorts } from "../../free-ports.ts";
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
import { type ServerCommand } from "../server-process.ts";

const PROGRAM = fileURLToPath(
  new URL("../../../../packages/cli/bin/quorumlog.js", import.meta.url),
);
const TOKEN = "the token of the bench";
const GROUP_ID = 1;
const QUEUE_COUNT = 4;
const POLL_MS = 200;
const POLL_MESSAGES = 2_000;
const STATUS_MS = 2_000;
/** A restarted node is back when it lacks fewer entries than that. */
const LAG_MAX = 200;
/** Of messages that wait for an answer: more than any workload has under way. */
const BUFFER_BYTES = 1024 * 1024 * 1024;

export const QUORUMLOG: PeerSystem = {
  name: "quorumlog",
  programs: [],
  install: "npm ci && npm run build",
  start: (directory) => QuorumlogCluster.start(directory),
  connect: (addresses) => Promise.resolve(new QuorumlogClient(addresses)),
};

export interface BrokerPlace {
  readonly pid: number;
  readonly directory: string;
}

export class QuorumlogCluster implements PeerCluster {
  readonly version = "of this folder";
  readonly durability = "fsync on a majority";
  readonly #directory: string;
  readonly #servers: ServerGroup;
  readonly #nameServer: string;
  readonly #admin: Admin;

  private constructor(
    directory: string,
    servers: ServerGroup,
    { nameServer, admin }: { readonly nameServer: string; readonly admin: Admin },
  ) {
    this.#directory = directory;
    this.#servers = servers;
    this.#nameServer = nameServer;
    this.#admin = admin;
  }

  /** @param words - Flags of the brokers, beside those that they need. */
  static async start(directory: string, words: readonly string[] = []): Promise<QuorumlogCluster> {
    const [namePort = 0, ...ports] = await freePorts(1 + 2 * NODE_COUNT);
    const nameServer = `127.0.0.1:${namePort}`;
    const ids = Array.from({ length: NODE_COUNT }, (_, at) => at + 1);
    const peers = ids.map((id) => `${id}=127.0.0.1:${ports[NODE_COUNT + id - 1]}`).join(",");
    const command = (name: string, ...own: string[]): ServerCommand => ({
      program: process.execPath,
      words: [PROGRAM, ...own],
      directory,
      logFile: join(directory, `${name}.log`),
    });
    const brokers = ids.map((id) => {
      const place = ["--node-id", `${id}`, "--data-dir", join(directory, `${id}`)];
      const listen = ["--listen", `127.0.0.1:${ports[id - 1]}`, "--peers", peers];
      const cluster = ["--token", TOKEN, "--name-servers", nameServer];
      return command(`broker-${id}`, "broker", ...place, ...listen, ...cluster, ...words);
    });
    const first = command("nameserver", "nameserver", "--listen", nameServer);
    // Brokers are 0 to 2, as the NameServer comes last.
    return startCluster(
      [...brokers, first],
      async (servers) => {
        const nameServers = [nameServer];
        const admin = await servers
          .server(NODE_COUNT)
          .until("answers", SERVER_DEADLINE_MS, () => Admin.open({ nameServers }));
        return new QuorumlogCluster(directory, servers, { nameServer, admin });
      },
      (cluster) => cluster.#allServe(),
    );
  }

  pids(): readonly number[] {
    return this.#servers.pids;
  }

  /** By node, each with what it writes to. */
  brokers(): readonly BrokerPlace[] {
    const pids = this.#servers.pids.slice(0, NODE_COUNT);
    return pids.map((pid, at) => ({ pid, directory: join(this.#directory, `${at + 1}`) }));
  }

  async createTopic(topic: string): Promise<void> {
    await this.#admin.createTopic({ name: topic, queueCount: QUEUE_COUNT });
  }

  deleteTopic(topic: string): Promise<void> {
    return this.#admin.deleteTopic(topic);
  }

  addresses(): Promise<readonly string[]> {
    return Promise.resolve([this.#nameServer]);
  }

  async killLeader(): Promise<void> {
    await this.#servers.kill((await this.#leaderId()) - 1);
  }

  async restart(): Promise<void> {
    this.#servers.restart();
    await this.#allServe();
  }

  async stop(): Promise<void> {
    await this.#admin.close();
    await this.#servers.stop();
  }

  async #leaderId(): Promise<number> {
    const server = this.#servers.server(NODE_COUNT);
    return server.until("knows the leader", SERVER_DEADLINE_MS, async () => {
      for (const at of this.#servers.running.filter((each) => each < NODE_COUNT)) {
        const { role, nodeId } = await this.#statusOf(at);
        if (role === "leader") return nodeId;
      }
      return undefined;
    });
  }

  /** Returns when all nodes follow one leader, and have what it has. */
  async #allServe(): Promise<void> {
    for (let at = 0; at < NODE_COUNT; at++)
      await this.#servers.server(at).until("serves", SERVER_DEADLINE_MS, async () => {
        const status = await this.#statusOf(at);
        if (status.leaderNodeId === 0) return undefined;
        const leader = await this.#statusOf(status.leaderNodeId - 1);
        const isClose = status.appliedIndex + LAG_MAX >= leader.commitIndex;
        return isClose && leader.role === "leader" ? true : undefined;
      });
  }

  #statusOf(at: number): ReturnType<Admin["nodeStatus"]> {
    return this.#admin.nodeStatus({ groupId: GROUP_ID, nodeId: at + 1 }, { timeoutMs: STATUS_MS });
  }
}

class QuorumlogClient implements PeerClient {
  readonly #nameServers: readonly string[];
  #opening: Promise<Producer> | undefined;
  #producer: Producer | undefined;

  constructor(nameServers: readonly string[]) {
    this.#nameServers = nameServers;
  }

  send(topic: string, body: Buffer): Promise<unknown> {
    return this.#producer === undefined
      ? this.#sendFirst(topic, body)
      : this.#producer.send(topic, { body });
  }

  async #sendFirst(topic: string, body: Buffer): Promise<void> {
    this.#opening ??= Producer.open({
      nameServers: this.#nameServers,
      producerGroup: "bench",
      bufferBytes: BUFFER_BYTES,
      timeoutMs: SEND_DEADLINE_MS,
    });
    this.#producer = await this.#opening;
    await this.#producer.send(topic, { body });
  }

  async read(topic: string, onBody: (body: Uint8Array) => void): Promise<Reader> {
    const consumer = await PullConsumer.open({
      nameServers: this.#nameServers,
      startFrom: "earliest",
    });
    const queues = Array.from({ length: QUEUE_COUNT }, (_, queue) => ({ topic, queue }));
    await consumer.assign(queues);
    const ending = new AbortController();
    const polls = async (): Promise<void> => {
      while (!ending.signal.aborted) {
        const wait = { timeoutMs: POLL_MS, maxMessages: POLL_MESSAGES };
        for (const { body } of await consumer.poll(wait)) onBody(body);
      }
    };
    const polling = polls();
    const stop = async (): Promise<void> => {
      ending.abort();
      await polling;
      await consumer.close();
    };
    return { stop };
  }

  async close(): Promise<void> {
    await (await this.#opening)?.close();
  }
}
