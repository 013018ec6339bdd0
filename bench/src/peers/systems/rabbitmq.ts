/** RabbitMQ: one quorum queue of three replicas. */

import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type ChannelModel, type ConfirmChannel, connect } from "amqplib";
import { freePorts } from "../../free-ports.ts";
import { programFile } from "../installed-program.ts";
import {
  NODE_COUNT,
  type PeerClient,
  type PeerCluster,
  type PeerSystem,
  type Reader,
  SEND_DEADLINE_MS,
  SERVER_DEADLINE_MS,
} from "../peer-system.ts";
import { pause } from "../publisher.ts";
import { type ServerGroup, startCluster } from "../server-group.ts";
import type { ServerCommand } from "../server-process.ts";

/** Debian's own wrapper in the path becomes another user; this is what it wraps. */
const DEBIAN_FOLDER = "/usr/lib/rabbitmq/bin";
const RECONNECT_WAIT_MS = 20;
const CONNECT_MS = 5_000;
/** Of messages that a reader has received and not confirmed. */
const PREFETCH = 2_000;
const CONFIRM_EVERY = 500;

const run = promisify(execFile);

export const RABBITMQ: PeerSystem = {
  name: "rabbitmq",
  programs: ["rabbitmq-server", "epmd"],
  install: "apt-get install rabbitmq-server",
  start: (directory) => RabbitCluster.start(directory),
  connect: (addresses) => Promise.resolve(new RabbitClient(addresses)),
};

interface RabbitNode {
  readonly name: string;
  readonly address: string;
  readonly env: Readonly<Record<string, string>>;
}

class RabbitCluster implements PeerCluster {
  readonly durability = "fsync on a majority (quorum queue)";
  version = "of a version it does not tell";
  readonly #servers: ServerGroup;
  readonly #nodes: readonly RabbitNode[];

  private constructor(servers: ServerGroup, nodes: readonly RabbitNode[]) {
    this.#servers = servers;
    this.#nodes = nodes;
  }

  static async start(directory: string): Promise<RabbitCluster> {
    const nodes = await nodesIn(directory);
    const commands = nodes.map(({ name, env }) => ({
      program: scriptFile("rabbitmq-server"),
      words: [],
      env,
      directory,
      logFile: join(directory, `${name}.log`),
    }));
    // Nodes are 0 to 2, as their register comes last; it is there long before Erlang has started.
    return startCluster(
      [...commands, mapperOf(directory, nodes)],
      (servers) => new RabbitCluster(servers, nodes),
      (cluster) => cluster.#haveMet(),
    );
  }

  pids(): readonly number[] {
    return this.#servers.pids;
  }

  async createTopic(topic: string): Promise<void> {
    await this.#channelled(async (channel) => {
      await channel.assertQueue(topic, {
        durable: true,
        arguments: { "x-queue-type": "quorum", "x-quorum-initial-group-size": NODE_COUNT },
      });
    });
  }

  async deleteTopic(topic: string): Promise<void> {
    await this.#channelled(async (channel) => {
      await channel.deleteQueue(topic);
    });
  }

  async addresses(topic: string): Promise<readonly string[]> {
    const leader = await this.#leader(topic);
    const addresses = this.#nodes.map(({ address }) => address);
    return [...addresses.slice(leader), ...addresses.slice(0, leader)];
  }

  async killLeader(topic: string): Promise<void> {
    await this.#servers.kill(await this.#leader(topic));
  }

  async restart(topic: string): Promise<void> {
    this.#servers.restart();
    await this.#allServe();
    const leader = this.#servers.server(await this.#leader(topic));
    await leader.until("all replicas are online", SERVER_DEADLINE_MS, async () => {
      const [row] = await this.#control().queues(topic, "online");
      const online = (row?.match(/@/gu) ?? []).length;
      return online === NODE_COUNT ? true : undefined;
    });
  }

  stop(): Promise<void> {
    return this.#servers.stop();
  }

  async #haveMet(): Promise<void> {
    await this.#allServe();
    const control = this.#control();
    await this.#servers.server(0).until("all have met", SERVER_DEADLINE_MS, async () => {
      const running = await control.eval("length(rabbit_nodes:all_running()).");
      return running.trim() === `${NODE_COUNT}` ? true : undefined;
    });
    const said = await control.eval("io:format(rabbit_misc:version()).");
    this.version = /\d+\.\d+\.\d+/u.exec(said)?.[0] ?? this.version;
  }

  async #allServe(): Promise<void> {
    for (const [at, { address }] of this.#nodes.entries())
      await this.#servers.server(at).until("serves", SERVER_DEADLINE_MS, () => answersTo(address));
  }

  async #leader(topic: string): Promise<number> {
    const server = this.#servers.server(this.#servers.running[0] ?? 0);
    return server.until("knows the leader", SERVER_DEADLINE_MS, async () => {
      const [row = ""] = await this.#control().queues(topic, "leader");
      const at = this.#nodes.findIndex(({ name }) => row.includes(name));
      return at < 0 ? undefined : at;
    });
  }

  #control(): Control {
    return new Control(this.#nodes[this.#servers.running[0] ?? 0]?.env ?? {});
  }

  async #channelled(use: (channel: ConfirmChannel) => Promise<void>): Promise<void> {
    const address = this.#nodes[this.#servers.running[0] ?? 0]?.address ?? "";
    const link = await connect(urlOf(address));
    try {
      await use(await link.createConfirmChannel());
    } finally {
      await link.close();
    }
  }
}

/** Its command line, asked of one node. */
class Control {
  readonly #env: Readonly<Record<string, string>>;

  constructor(env: Readonly<Record<string, string>>) {
    this.#env = env;
  }

  eval(expression: string): Promise<string> {
    return this.#ask(["eval", expression]);
  }

  /** @returns the column of the queue; nothing if it is not known. */
  async queues(topic: string, column: string): Promise<string[]> {
    const text = await this.#ask(["--quiet", "list_queues", "--no-table-headers", "name", column]);
    const rows = text.split("\n").map((line) => line.split("\t"));
    return rows.filter(([name]) => name === topic).map(([, value]) => value ?? "");
  }

  async #ask(words: readonly string[]): Promise<string> {
    const env = { ...process.env, ...this.#env };
    const program = scriptFile("rabbitmqctl");
    const { stdout } = await run(program, words, { env, timeout: SERVER_DEADLINE_MS });
    return stdout;
  }
}

class RabbitClient implements PeerClient {
  readonly #addresses: readonly string[];
  #link: Promise<ConfirmChannel> | undefined;
  #model: ChannelModel | undefined;
  #next = 0;
  #isClosed = false;

  constructor(addresses: readonly string[]) {
    this.#addresses = addresses;
  }

  async send(topic: string, body: Buffer): Promise<void> {
    const channel = await this.#channel();
    return new Promise((resolve, reject) => {
      channel.publish("", topic, body, { deliveryMode: 2 }, (error: unknown) => {
        if (error === null || error === undefined) resolve();
        else reject(error instanceof Error ? error : new Error("the broker refused a message"));
      });
    });
  }

  async read(topic: string, onBody: (body: Uint8Array) => void): Promise<Reader> {
    const channel = await this.#channel();
    await channel.prefetch(PREFETCH);
    let unconfirmed = 0;
    const { consumerTag } = await channel.consume(topic, (message) => {
      if (message === null) return;
      onBody(message.content);
      unconfirmed += 1;
      if (unconfirmed < CONFIRM_EVERY) return;
      unconfirmed = 0;
      channel.ack(message, true);
    });
    const stop = async (): Promise<void> => {
      await channel.cancel(consumerTag);
    };
    return { stop };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#model?.close();
  }

  #channel(): Promise<ConfirmChannel> {
    this.#link ??= this.#connect();
    return this.#link;
  }

  /** To one after the other: what is killed refuses at once. */
  async #connect(): Promise<ConfirmChannel> {
    const deadline = performance.now() + SEND_DEADLINE_MS;
    for (;;)
      try {
        const address = this.#addresses[this.#next % this.#addresses.length] ?? "";
        this.#next += 1;
        // By default its socket holds back the end of a message while the rest is under way: at
        // 10 KB, one at a time, each waits 40 ms for a delayed acknowledgement of TCP.
        const model = await connect(urlOf(address), { timeout: CONNECT_MS, noDelay: true });
        const channel = await model.createConfirmChannel();
        const onLoss = (): void => {
          if (this.#model !== model) return;
          this.#model = undefined;
          this.#link = undefined;
        };
        this.#model = model;
        // The loss of a connection is told as an error, and then as its end.
        model.on("error", onLoss);
        model.on("close", onLoss);
        channel.on("error", onLoss);
        return channel;
      } catch (error) {
        if (this.#isClosed || performance.now() > deadline) throw error;
        await pause(RECONNECT_WAIT_MS);
      }
  }
}

/** Loopback alone, names and ports that nobody has, and nothing of the machine's own settings. */
async function nodesIn(directory: string): Promise<RabbitNode[]> {
  const ports = await freePorts(1 + 2 * NODE_COUNT);
  const mapperPort = ports[2 * NODE_COUNT] ?? 0;
  const cookie = join(directory, ".erlang.cookie");
  writeFileSync(cookie, randomBytes(16).toString("hex"));
  chmodSync(cookie, 0o400);
  writeFileSync(join(directory, "enabled_plugins"), "[].\n");
  writeFileSync(join(directory, "empty.conf"), "");
  const names = Array.from(
    { length: NODE_COUNT },
    (_, at) => `peer${at + 1}-${mapperPort}@localhost`,
  );
  return names.map((name, at) => {
    const address = `127.0.0.1:${ports[at]}`;
    const base = join(directory, `${at + 1}`);
    mkdirSync(base, { recursive: true });
    const settings = [
      `listeners.tcp.1 = ${address}`,
      "cluster_formation.peer_discovery_backend = classic_config",
      ...names.map((each, i) => `cluster_formation.classic_config.nodes.${i + 1} = ${each}`),
      // They start at the same time; one of them has to be the first.
      "cluster_formation.randomized_startup_delay_range.min = 0",
      "cluster_formation.randomized_startup_delay_range.max = 2",
      "vm_memory_high_watermark.relative = 0.6",
      "disk_free_limit.absolute = 50MB",
      "log.file.level = warning",
      "log.console = false",
    ];
    writeFileSync(join(base, "rabbitmq.conf"), `${settings.join("\n")}\n`);
    const env = {
      HOME: directory,
      ERL_EPMD_PORT: `${mapperPort}`,
      ERL_EPMD_ADDRESS: "127.0.0.1",
      RABBITMQ_NODENAME: name,
      RABBITMQ_DIST_PORT: `${ports[NODE_COUNT + at]}`,
      RABBITMQ_CONF_ENV_FILE: join(directory, "empty.conf"),
      RABBITMQ_CONFIG_FILE: join(base, "rabbitmq.conf"),
      RABBITMQ_ADVANCED_CONFIG_FILE: join(base, "none.config"),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, "enabled_plugins"),
      RABBITMQ_MNESIA_BASE: base,
      RABBITMQ_LOG_BASE: base,
      RABBITMQ_PID_FILE: join(base, "pid"),
      RABBITMQ_GENERATED_CONFIG_DIR: join(base, "generated"),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
      // Of every Erlang that is started for a node or a command: one that finds no register, as
      // when all is just being stopped, would start its own, which stays.
      ERL_AFLAGS: "-start_epmd false",
    };
    return { name, address, env };
  });
}

/** Erlang's register of nodes; were it not there, the first node would end at once. */
function mapperOf(directory: string, [node]: readonly RabbitNode[]): ServerCommand {
  const port = node?.env["ERL_EPMD_PORT"] ?? "";
  return {
    program: programFile("epmd"),
    words: ["-port", port, "-address", "127.0.0.1"],
    directory,
    logFile: join(directory, "epmd.log"),
  };
}

function scriptFile(name: string): string {
  const debian = join(DEBIAN_FOLDER, name);
  return existsSync(debian) ? debian : join(dirname(programFile("rabbitmq-server")), name);
}

function urlOf(address: string): string {
  return `amqp://guest:guest@${address}?heartbeat=0`;
}

async function answersTo(address: string): Promise<true> {
  const link = await connect(urlOf(address), { timeout: CONNECT_MS });
  await link.close();
  return true;
}
