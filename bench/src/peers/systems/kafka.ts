/** Kafka in KRaft mode: a topic of one partition, three replicas, of which two have to answer. */

import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve as absolute } from "node:path";
import { type Admin, Kafka, logLevel, type Producer } from "kafkajs";
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

/** As its own scripts have it. */
const JAVA_OPTIONS = ["-Xmx1G", "-Xms1G", "-XX:+UseG1GC"];
const FORMAT_MS = 120_000;
const REQUESTS_MAX = 5;
const UNKNOWN_PAUSE_MS = 50;
/** A broker takes a batch of 1 MiB, with what is around messages. */
const BATCH_BYTES_MAX = 900_000;
const RETRY = { initialRetryTime: 50, maxRetryTime: 500, retries: 100 };

export const KAFKA: PeerSystem = {
  name: "kafka",
  programs: ["java"],
  folderFlag: "kafka",
  install: "get a release of kafka.apache.org, and give --kafka RELEASE/libs",
  start: (directory, jars) => KafkaCluster.start(directory, jars),
  connect: (addresses) => Promise.resolve(new KafkaClient(addresses)),
};

class KafkaCluster implements PeerCluster {
  readonly version: string;
  readonly durability = "fsync on two of three (log.flush.interval.messages=1)";
  readonly #servers: ServerGroup;
  readonly #addresses: readonly string[];

  private constructor(servers: ServerGroup, addresses: readonly string[], version: string) {
    this.#servers = servers;
    this.#addresses = addresses;
    this.version = version;
  }

  static async start(directory: string, jars: string): Promise<KafkaCluster> {
    const java = programFile("java");
    const classes = ["-cp", join(absolute(jars), "*")];
    const clusterId = randomBytes(16).toString("base64url");
    const ports = await freePorts(2 * NODE_COUNT);
    const ats = Array.from({ length: NODE_COUNT }, (_, at) => at);
    const commands = ats.map((at) => {
      const file = join(directory, `${at}.properties`);
      mkdirSync(join(directory, `${at}`), { recursive: true });
      writeFileSync(file, settingsOf(at, ports, directory).join("\n"));
      const format = [...classes, "kafka.tools.StorageTool", "format", "-t", clusterId, "-c", file];
      execFileSync(java, format, { timeout: FORMAT_MS, stdio: "pipe", cwd: directory });
      return {
        program: java,
        words: [...JAVA_OPTIONS, ...classes, "kafka.Kafka", file],
        directory,
        logFile: join(directory, `${at}.log`),
      };
    });
    const addresses = ats.map((at) => `127.0.0.1:${ports[at]}`);
    return startCluster(
      commands,
      (servers) => new KafkaCluster(servers, addresses, versionIn(jars)),
      (cluster) => cluster.#allServe(),
    );
  }

  pids(): readonly number[] {
    return this.#servers.pids;
  }

  async createTopic(topic: string): Promise<void> {
    const topics = [{ topic, numPartitions: 1, replicationFactor: NODE_COUNT }];
    await this.#administered(async (admin) => {
      await admin.createTopics({ topics, waitForLeaders: false });
      // To wait for leaders fails where a broker has not heard of the topic yet.
      await this.#servers
        .server(0)
        .until("has a topic", SERVER_DEADLINE_MS, () => admin.fetchTopicOffsets(topic));
    });
  }

  async deleteTopic(topic: string): Promise<void> {
    await this.#administered((admin) => admin.deleteTopics({ topics: [topic] }));
  }

  /** Clients find leaders by themselves. */
  addresses(): Promise<readonly string[]> {
    return Promise.resolve(this.#servers.running.map((at) => this.#addresses[at] ?? ""));
  }

  async killLeader(topic: string): Promise<void> {
    const { leader } = await this.#partition(topic);
    await this.#servers.kill(leader - 1);
  }

  async restart(topic: string): Promise<void> {
    this.#servers.restart();
    await this.#allServe();
    await this.#servers.server(0).until("all are in sync", SERVER_DEADLINE_MS, async () => {
      const { isr } = await this.#partition(topic);
      return isr.length === NODE_COUNT ? true : undefined;
    });
  }

  stop(): Promise<void> {
    return this.#servers.stop();
  }

  async #allServe(): Promise<void> {
    await this.#servers.server(0).until("all have met", SERVER_DEADLINE_MS, async () => {
      const { brokers } = await this.#administered((admin) => admin.describeCluster());
      return brokers.length === NODE_COUNT ? true : undefined;
    });
  }

  async #partition(
    topic: string,
  ): Promise<{ readonly leader: number; readonly isr: readonly number[] }> {
    const { topics } = await this.#administered((admin) =>
      admin.fetchTopicMetadata({ topics: [topic] }),
    );
    const partition = topics[0]?.partitions[0];
    if (partition === undefined) throw new Error(`there is no partition of ${topic}`);
    return { leader: partition.leader, isr: partition.isr };
  }

  async #administered<Value>(run: (admin: Admin) => Promise<Value>): Promise<Value> {
    const admin = kafka(await this.addresses()).admin();
    await admin.connect();
    try {
      return await run(admin);
    } finally {
      await admin.disconnect();
    }
  }
}

interface Waiting {
  readonly body: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Its own client sends what it is given at once, a request each: here it gets batches. */
class KafkaClient implements PeerClient {
  readonly #kafka: Kafka;
  #producer: Promise<Producer> | undefined;
  #waiting: Waiting[] = [];
  #underWay = 0;
  #isScheduled = false;

  constructor(addresses: readonly string[]) {
    this.#kafka = kafka(addresses);
  }

  send(topic: string, body: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ body, resolve, reject });
      this.#schedule(topic);
    });
  }

  async read(topic: string, onBody: (body: Uint8Array) => void): Promise<Reader> {
    const groupId = `bench-${randomBytes(8).toString("hex")}`;
    const consumer = this.#kafka.consumer({ groupId, maxWaitTimeInMs: 500 });
    await consumer.connect();
    await onceKnown(() => consumer.subscribe({ topic, fromBeginning: true }));
    await consumer.run({
      autoCommit: false,
      eachBatch: ({ batch }) => {
        for (const { value } of batch.messages) if (value !== null) onBody(value);
        return Promise.resolve();
      },
    });
    const stop = async (): Promise<void> => {
      await consumer.disconnect();
    };
    return { stop };
  }

  async close(): Promise<void> {
    await (await this.#producer)?.disconnect();
  }

  /** Whatever is sent in one turn of the event loop goes together. */
  #schedule(topic: string): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      while (this.#waiting.length > 0 && this.#underWay < REQUESTS_MAX) {
        const batch = this.#take();
        this.#underWay += 1;
        void this.#sendBatch(topic, batch).finally(() => {
          this.#underWay -= 1;
          if (this.#waiting.length > 0) this.#schedule(topic);
        });
      }
    });
  }

  #take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { body } of this.#waiting) {
      bytes += body.length;
      if (count > 0 && bytes > BATCH_BYTES_MAX) break;
      count += 1;
    }
    const batch = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    return batch;
  }

  async #sendBatch(topic: string, batch: readonly Waiting[]): Promise<void> {
    try {
      this.#producer ??= this.#connect();
      const producer = await this.#producer;
      const messages = batch.map(({ body }) => ({ value: body, partition: 0 }));
      await onceKnown(() =>
        producer.send({ topic, acks: -1, timeout: SEND_DEADLINE_MS, messages }),
      );
      for (const { resolve } of batch) resolve();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  async #connect(): Promise<Producer> {
    const producer = this.#kafka.producer({ allowAutoTopicCreation: false });
    await producer.connect();
    return producer;
  }
}

function settingsOf(at: number, ports: readonly number[], directory: string): string[] {
  const voters = Array.from({ length: NODE_COUNT }, (_, each) => {
    return `${each + 1}@127.0.0.1:${ports[NODE_COUNT + each]}`;
  });
  const client = `PLAINTEXT://127.0.0.1:${ports[at]}`;
  return [
    "process.roles=broker,controller",
    `node.id=${at + 1}`,
    `controller.quorum.voters=${voters.join(",")}`,
    `listeners=${client},CONTROLLER://127.0.0.1:${ports[NODE_COUNT + at]}`,
    `advertised.listeners=${client}`,
    "controller.listener.names=CONTROLLER",
    `log.dirs=${join(directory, `${at}`)}`,
    `default.replication.factor=${NODE_COUNT}`,
    `offsets.topic.replication.factor=${NODE_COUNT}`,
    "offsets.topic.num.partitions=1",
    "min.insync.replicas=2",
    // Followers say how far they are when they have synced, too.
    "log.flush.interval.messages=1",
    "auto.create.topics.enable=false",
    "group.initial.rebalance.delay.ms=0",
  ];
}

/** Brokers hear of a topic one after the other; one that has not yet, refuses. */
async function onceKnown<Value>(ask: () => Promise<Value>): Promise<Value> {
  const deadline = performance.now() + SEND_DEADLINE_MS;
  for (;;)
    try {
      return await ask();
    } catch (error) {
      const isUnknown = (error as { type?: unknown }).type === "UNKNOWN_TOPIC_OR_PARTITION";
      if (!isUnknown || performance.now() > deadline) throw error;
      await pause(UNKNOWN_PAUSE_MS);
    }
}

function versionIn(jars: string): string {
  const names = readdirSync(jars).map((name) => /^kafka-clients-(?<version>.+)\.jar$/u.exec(name));
  const found = names.find((name) => name !== null)?.groups?.["version"];
  if (found === undefined) throw new Error(`--kafka: ${jars} has no kafka-clients-*.jar`);
  return found;
}

function kafka(brokers: readonly string[]): Kafka {
  return new Kafka({
    clientId: "bench",
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    requestTimeout: SEND_DEADLINE_MS,
    retry: RETRY,
  });
}
