/** A cluster that runs, with a process that publishes to it and one that reads. */

import { ForkedNode } from "../forked-node.ts";
import { boundedBy } from "./bounded-by.ts";
import { makeFolder, removeFolder } from "./leftovers.ts";
import type { PeerCluster, PeerSystem } from "./peer-system.ts";
import { usageOf } from "./process-usage.ts";
import type {
  BeginTopic,
  PeerClientConfig,
  PublisherAnswer,
  PublisherRequest,
} from "./publisher-process.ts";
import type { PublishFigures, Pulse } from "./publisher.ts";
import type { Published } from "./read-audit.ts";
import type { ReaderAnswer, ReaderFigures, ReaderRequest } from "./reader-process.ts";

/** Since {@link MeasuredCluster.start}, of one process and its children. */
export interface CpuReading {
  readonly publisher: number;
  readonly reader: number;
  readonly servers: number;
}

const PUBLISHER_FILE = new URL("./publisher-process.js", import.meta.url);
const READER_FILE = new URL("./reader-process.js", import.meta.url);
/** Beyond what a step is to take; whatever takes longer has failed. */
const PATIENCE_MS = 180_000;

export class MeasuredCluster {
  readonly cluster: PeerCluster;
  readonly #folder: string;
  readonly #publisher: ForkedNode<PublisherRequest, PublisherAnswer>;
  readonly #reader: ForkedNode<ReaderRequest, ReaderAnswer>;
  #begun = { topic: "", bodyBytes: 0 };

  private constructor(cluster: PeerCluster, folder: string, config: PeerClientConfig) {
    this.cluster = cluster;
    this.#folder = folder;
    this.#publisher = new ForkedNode(PUBLISHER_FILE, config);
    this.#reader = new ForkedNode(READER_FILE, config);
  }

  /**
   * @param parent - Where the temporary folder of the servers is made.
   * @param jars - Of a system that has a flag for them.
   */
  static async start(system: PeerSystem, parent: string, jars = ""): Promise<MeasuredCluster> {
    const folder = makeFolder(parent, `peers-${system.name}-`);
    try {
      const starting = system.start(folder, jars);
      const cluster = await within("the cluster starts", 3 * PATIENCE_MS, starting);
      const measured = new MeasuredCluster(cluster, folder, { system: system.name });
      await Promise.all([measured.#publisher.nextAnswer(), measured.#reader.nextAnswer()]);
      return measured;
    } catch (error) {
      removeFolder(folder);
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#publisher.signal("SIGKILL");
    this.#reader.signal("SIGKILL");
    await this.cluster.stop();
    removeFolder(this.#folder);
  }

  /**
   * A new topic, and a publisher that is connected for it.
   *
   * @param to - The node that a client which can choose connects to first.
   */
  async begin(
    topic: string,
    bodyBytes: number,
    to: "leader" | "follower" = "leader",
  ): Promise<void> {
    await within("a topic is made", PATIENCE_MS, this.cluster.createTopic(topic));
    this.#begun = { topic, bodyBytes };
    const beginning = await this.#beginning();
    const [leader, ...others] = beginning.addresses;
    const addresses =
      to === "leader" || leader === undefined ? beginning.addresses : [...others, leader];
    const request = { ...beginning, addresses };
    await within("a publisher connects", PATIENCE_MS, this.#publisher.ask(request));
  }

  /** A closed loop. */
  async publish(load: {
    readonly inFlight: number;
    readonly ms: number;
    readonly messagesMax: number;
  }): Promise<PublishFigures> {
    const { figures } = await within(
      "a load ends",
      load.ms + PATIENCE_MS,
      this.#publisher.ask({ type: "publish", ...load }),
    );
    if (figures === undefined) throw new Error("a publisher told no figures");
    return figures;
  }

  /** An open loop, until {@link endPace}. */
  async startPace(perSecond: number): Promise<void> {
    await this.#publisher.ask({ type: "start-pace", perSecond });
  }

  /**
   * What {@link endPace} returns is of messages that are due later.
   *
   * @returns when that is, by the machine's monotonic clock.
   */
  async mark(): Promise<number> {
    const { markedAt } = await this.#publisher.ask({ type: "mark" });
    if (markedAt === undefined) throw new Error("a publisher told not when it was marked");
    return markedAt;
  }

  async pulse(): Promise<Pulse> {
    const { pulse } = await this.#publisher.ask({ type: "pulse" });
    if (pulse === undefined) throw new Error("a publisher told no pulse");
    return pulse;
  }

  /** Figures are those since {@link mark}; latencies are from when a message was due. */
  async endPace(): Promise<PublishFigures> {
    const { figures } = await within(
      "what is under way ends",
      PATIENCE_MS,
      this.#publisher.ask({ type: "end-pace" }),
    );
    if (figures === undefined) throw new Error("a publisher told no figures");
    return figures;
  }

  async published(): Promise<Published> {
    const { published } = await this.#publisher.ask({ type: "published" });
    if (published === undefined) throw new Error("a publisher told not what it published");
    return published;
  }

  /** Has the reader connect, and read from the first message on. */
  async follow(): Promise<void> {
    const request = await this.#beginning();
    await within("a reader connects", PATIENCE_MS, this.#reader.ask(request));
    await within("a reader begins", PATIENCE_MS, this.#reader.ask({ type: "follow" }));
  }

  /** Returns when the reader has everything that was acknowledged, or nothing comes any more. */
  async finish(measuredFrom = 0): Promise<ReaderFigures> {
    const published = await this.published();
    const { figures } = await within(
      "everything is read",
      2 * PATIENCE_MS,
      this.#reader.ask({ type: "finish", published, measuredFrom }),
    );
    if (figures === undefined) throw new Error("a reader told no figures");
    return figures;
  }

  async #beginning(): Promise<BeginTopic> {
    const addresses = await this.cluster.addresses(this.#begun.topic);
    return { type: "begin", ...this.#begun, addresses };
  }

  /** In microseconds. */
  cpu(): CpuReading {
    return {
      publisher: usageOf([this.#publisher.pid]).cpuMicros,
      reader: usageOf([this.#reader.pid]).cpuMicros,
      servers: usageOf(this.cluster.pids()).cpuMicros,
    };
  }

  /** Of all servers, in MB. */
  memory(): number {
    return usageOf(this.cluster.pids()).anonymousMb;
  }
}

async function within<Value>(what: string, ms: number, work: Promise<Value>): Promise<Value> {
  try {
    return await boundedBy(ms, work);
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
