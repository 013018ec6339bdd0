/**
 * Attacks all ports of a cluster in bursts, and looks after each of them whether it is as it was:
 * everybody there and well, a message goes in and comes out, nothing stored that was not sent, and
 * no more memory taken than there was a reason for.
 */

import { connect, type ClientHttp2Session } from "node:http2";
import { Admin, Producer, PullConsumer } from "@quorumlog/client";
import { NODE_SERVICE, RpcChannel } from "@quorumlog/protocol";
import { Prng } from "@quorumlog/std";
import { demand, Finding } from "../finding.ts";
import { checkAnswer } from "./answer-check.ts";
import { type Attack, type AttackedPort, AttackSource } from "./attack.ts";
import { FuzzedCluster } from "./fuzzed-cluster.ts";
import { rawCall } from "./raw-call.ts";
import { sendRaw } from "./raw-bytes.ts";
import { brokerSamples, nameServerSamples } from "./sample-requests.ts";
import { StoredCheck } from "./stored-check.ts";

const ATTACKS = 60;
const AT_ONCE = 12;
const QUEUE_COUNT = 4;
const CANARY = "canary";
const TARGET = "fuzz";
const TOPICS_KEPT_MAX = 40;
const CORRUPTED_CHUNKS_MAX = 6;
const PATIENCE_MS = 30_000;
const RSS_MAX = 2 * 1024 ** 3;

export class PortFuzzer {
  readonly #cluster: FuzzedCluster;
  readonly #admin: Admin;
  readonly #producer: Producer;
  readonly #consumer: PullConsumer;
  readonly #stored: StoredCheck;
  readonly #topicId: number;
  #canaries = 0;

  private constructor(init: {
    readonly cluster: FuzzedCluster;
    readonly admin: Admin;
    readonly producer: Producer;
    readonly consumer: PullConsumer;
    readonly topicId: number;
  }) {
    this.#cluster = init.cluster;
    this.#admin = init.admin;
    this.#producer = init.producer;
    this.#consumer = init.consumer;
    this.#topicId = init.topicId;
    this.#stored = new StoredCheck(init.topicId, QUEUE_COUNT);
  }

  static async open(): Promise<PortFuzzer> {
    const cluster = await FuzzedCluster.open();
    const { nameServers } = cluster;
    const admin = await Admin.open({ nameServers });
    await admin.createTopic({ name: CANARY, queueCount: 1 });
    const { topicId } = await admin.createTopic({ name: TARGET, queueCount: QUEUE_COUNT });
    const producer = await Producer.open({
      nameServers,
      producerGroup: "canaries",
      timeoutMs: PATIENCE_MS,
    });
    const consumer = await PullConsumer.open({ nameServers });
    await consumer.assign([{ topic: CANARY, queue: 0 }]);
    return new PortFuzzer({ cluster, admin, producer, consumer, topicId });
  }

  /** @throws Finding */
  async burst(seed: number): Promise<void> {
    const prng = new Prng(seed);
    const source = new AttackSource(prng, this.#topicId, QUEUE_COUNT);
    const ports = this.#ports();
    const attacks = Array.from({ length: ATTACKS }, () => source.next(ports));
    for (const proxy of this.#cluster.proxies)
      if (prng.below(3) === 0) proxy.corrupt(prng.fork(), prng.below(CORRUPTED_CHUNKS_MAX));
    try {
      for (let from = 0; from < attacks.length; from += AT_ONCE)
        await this.#carryOut(attacks.slice(from, from + AT_ONCE));
      await this.#lookAfter();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Finding(`${reason}\n${attacks.map(written).join("\n")}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    await this.#consumer.close();
    await this.#producer.close();
    await this.#admin.close();
    await this.#cluster.close();
  }

  #ports(): AttackedPort[] {
    const samples = {
      client: brokerSamples(this.#topicId),
      nameserver: nameServerSamples(),
      peer: [],
      metrics: [],
    };
    return this.#cluster.ports.map(({ kind, port }) => ({ port, samples: samples[kind] }));
  }

  async #carryOut(attacks: readonly Attack[]): Promise<void> {
    const sessions = new Map<number, ClientHttp2Session>();
    const sessionTo = (port: number): ClientHttp2Session => {
      const known = sessions.get(port);
      if (known !== undefined && !known.closed && !known.destroyed) return known;
      const session = connect(`http://127.0.0.1:${port}`);
      // Of a session that the other side has had enough of; its streams are told, too.
      session.on("error", () => undefined);
      sessions.set(port, session);
      return session;
    };
    await Promise.all(
      attacks.map(async (attack) => {
        const { kind, port } = attack;
        if (kind === "bytes") await this.#inTime("bytes", sendRaw(port, attack.bytes));
        else await this.#inTime(attack.sample.path, this.#call(sessionTo(port), attack));
      }),
    );
    for (const session of sessions.values()) session.destroy();
  }

  async #call(session: ClientHttp2Session, attack: Attack & { kind: "call" }): Promise<void> {
    const { sample, frames, isEnded, requests } = attack;
    const isPublish = sample.path.endsWith("/Publish");
    if (isPublish) {
      for (const request of requests) this.#stored.onSent(request);
      // A frame whose bytes were changed is a request of its own.
      for (const frame of frames) this.#stored.onSent(frame.subarray(5));
    }
    const answer = await rawCall(session, { path: sample.path, frames, isEnded });
    checkAnswer(sample, answer);
    const [request] = requests;
    const [message] = answer.messages;
    const isSure = requests.length === 1 && frames[0]?.subarray(5).equals(requests[0] as Buffer);
    if (isPublish && isSure === true && request !== undefined && message !== undefined)
      this.#stored.onAnswer(request, message);
  }

  async #lookAfter(): Promise<void> {
    await this.#inTime("a canary", this.#canary());
    await this.#inTime("the nodes' status", this.#askNodes());
    const leader = await this.#inTime("a leader", this.#leader());
    await this.#inTime("reading what is stored", this.#stored.check(leader));
    await this.#inTime("deleting topics", this.#tidyUp());
    const { rss } = process.memoryUsage();
    demand(rss < RSS_MAX, `${Math.round(rss / 1024 ** 2)} MiB are taken`);
    const [defect] = this.#cluster.defects;
    demand(defect === undefined, `nobody has caught: ${inspected(defect)}`);
  }

  async #askNodes(): Promise<void> {
    for (const broker of this.#cluster.brokers) {
      const channel = new RpcChannel({ address: `127.0.0.1:${broker.port}` });
      const { role } = await channel.call(NODE_SERVICE.getStatus, {});
      channel.close();
      demand(role !== "", "a node does not say what it is");
    }
  }

  /** What does not end is a finding, too. */
  async #inTime<T>(what: string, work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Finding(`${what} did not come to an end in ${2 * PATIENCE_MS} ms`));
      }, 2 * PATIENCE_MS);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A message goes in and comes out. */
  async #canary(): Promise<void> {
    this.#canaries += 1;
    const body = `canary ${this.#canaries}`;
    await this.#producer.send(CANARY, { body });
    const deadline = performance.now() + PATIENCE_MS;
    while (performance.now() < deadline) {
      const messages = await this.#consumer.poll({ maxMessages: 10, timeoutMs: 1_000 });
      if (messages.some((message) => message.text() === body)) return;
    }
    throw new Finding(`${body} went in, and did not come out`);
  }

  async #leader(): Promise<FuzzedCluster["brokers"][number]> {
    const deadline = performance.now() + PATIENCE_MS;
    while (performance.now() < deadline) {
      const leader = this.#cluster.brokers.find(({ group }) => group.isLeader);
      if (leader !== undefined) {
        await leader.group.readBarrier().catch(() => undefined);
        if (leader.group.isLeader) return leader;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Finding("nobody leads");
  }

  /** Topics that the attacks have made are taken away, so that a long run does not fill up. */
  async #tidyUp(): Promise<void> {
    const { topics } = this.#admin.cluster();
    if (topics.length < TOPICS_KEPT_MAX) return;
    for (const { name } of topics)
      if (name !== CANARY && name !== TARGET)
        await this.#admin.deleteTopic(name, { timeoutMs: PATIENCE_MS }).catch(() => undefined);
  }
}

function written(attack: Attack): string {
  if (attack.kind === "bytes") return `${attack.port} ${attack.bytes.toString("hex")}`;
  const frames = attack.frames.map((frame) => frame.toString("hex"));
  return `${attack.port} ${attack.sample.path} ${frames.join(" ")}`;
}

function inspected(defect: unknown): string {
  return defect instanceof Error ? (defect.stack ?? defect.message) : String(defect);
}
