/**
 * The load, as its own process: `node client-process.js JSON`. It publishes message by message,
 * each with a body of its own, and then reads everything back.
 */

import { type Durability, Producer, PullConsumer } from "@quorumlog/client";
import type { BenchTls } from "./server-tls.ts";
import { type Audit, Ledger, QUEUE_COUNT, SERIAL_BYTES } from "./ledger.ts";

export interface ClientConfig {
  readonly nameServer: string;
  readonly tls: BenchTls | undefined;
}

export type ClientRequest =
  | { readonly type: "begin"; readonly topics: readonly string[]; readonly load: PublishLoad }
  | { readonly type: "publish"; readonly ms: number; readonly messages?: number }
  | { readonly type: "pace"; readonly perSecond: number; readonly ms: number }
  | { readonly type: "consume" };

export interface PublishLoad {
  readonly messageBytes: number;
  readonly inFlight: number;
  readonly durability: Durability;
}

export interface PublishFigures {
  readonly type: "published";
  readonly messages: number;
  readonly seconds: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicros: number;
}

export interface ConsumeFigures extends Audit {
  readonly type: "consumed";
  readonly seconds: number;
}

export type ClientAnswer =
  | { readonly type: "ready" }
  | { readonly type: "begun" }
  | PublishFigures
  | ConsumeFigures;

const BUFFER_BYTES = 512 * 1024 * 1024;
const TIMEOUT_MS = 30_000;
const POLL_MS = 1_000;
const POLL_MESSAGES = 2_000;
/** After so many empty polls, what is not there is lost. */
const EMPTY_POLLS_MAX = 20;

const { nameServer, tls } = JSON.parse(process.argv[2] ?? "{}") as ClientConfig;
const cluster = { nameServers: [nameServer], ...(tls === undefined ? {} : { tls }) };
const producer = await Producer.open({
  ...cluster,
  producerGroup: "bench",
  bufferBytes: BUFFER_BYTES,
  timeoutMs: TIMEOUT_MS,
});

/** Taken in turn. */
let topics: readonly string[] = [];
let load: PublishLoad;
let ledger: Ledger;
let serial = 0;

/** What became of the messages of one request. */
class Tally {
  readonly #latencies: number[] = [];
  readonly #cpu = process.cpuUsage();
  readonly startedAt = performance.now();
  #failed = 0;

  /** @param dueAt - Latency is counted from there, whenever it was sent. */
  async send(body: Buffer, dueAt: number): Promise<void> {
    const number = serial++;
    body.writeUInt32LE(number, 0);
    const topic = topics[number % topics.length] ?? "";
    const { durability } = load;
    try {
      ledger.ack(number, await producer.send(topic, { body }, { durability }));
      this.#latencies.push(performance.now() - dueAt);
    } catch (error) {
      this.#failed += 1;
      if (this.#failed === 1) console.error(error);
    }
  }

  figures(): PublishFigures {
    const seconds = (performance.now() - this.startedAt) / 1_000;
    const { user, system } = process.cpuUsage(this.#cpu);
    const sorted = Float64Array.from(this.#latencies).sort();
    const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
    return {
      type: "published",
      messages: sorted.length,
      seconds,
      failed: this.#failed,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      cpuMicros: user + system,
    };
  }
}

/** A closed loop: so many under way, until the time is over or so many were sent. */
async function publish(ms: number, messages = Number.POSITIVE_INFINITY): Promise<PublishFigures> {
  const tally = new Tally();
  const bounds = { until: tally.startedAt + ms, last: serial + messages };
  const worker = async (): Promise<void> => {
    const body = Buffer.alloc(load.messageBytes, Math.floor(Math.random() * 256));
    for (;;) {
      const now = performance.now();
      if (now >= bounds.until || serial >= bounds.last) return;
      await tally.send(body, now);
    }
  };
  await Promise.all(Array.from({ length: load.inFlight }, worker));
  return tally.figures();
}

/** An open loop: messages are due at their times, whatever became of those before them. */
async function pace(perSecond: number, ms: number): Promise<PublishFigures> {
  const tally = new Tally();
  const under: Promise<void>[] = [];
  const total = Math.floor((perSecond * ms) / 1_000);
  for (let sent = 0; sent < total;) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    const due = Math.min(total, ((performance.now() - tally.startedAt) * perSecond) / 1_000);
    for (; sent < due; sent++) {
      const body = Buffer.alloc(load.messageBytes, sent % 256);
      under.push(tally.send(body, tally.startedAt + (sent * 1_000) / perSecond));
    }
  }
  await Promise.all(under);
  return tally.figures();
}

async function consume(): Promise<ConsumeFigures> {
  const consumer = await PullConsumer.open({ ...cluster, startFrom: "earliest" });
  try {
    const startedAt = performance.now();
    const queues = Array.from({ length: QUEUE_COUNT }, (_, queue) => queue);
    await consumer.assign(topics.flatMap((topic) => queues.map((queue) => ({ topic, queue }))));
    for (let empty = 0; !ledger.isComplete && empty < EMPTY_POLLS_MAX;) {
      const messages = await consumer.poll({ timeoutMs: POLL_MS, maxMessages: POLL_MESSAGES });
      empty = messages.length === 0 ? empty + 1 : 0;
      for (const message of messages) ledger.read(message);
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    return { type: "consumed", seconds, ...ledger.audit() };
  } finally {
    await consumer.close();
  }
}

async function answerTo(request: ClientRequest): Promise<ClientAnswer> {
  if (request.type === "publish") return publish(request.ms, request.messages);
  if (request.type === "pace") return pace(request.perSecond, request.ms);
  if (request.type === "consume") return consume();
  ({ topics, load } = request);
  ledger = new Ledger(topics, Math.max(SERIAL_BYTES, load.messageBytes));
  serial = 0;
  return { type: "begun" };
}

process.on("message", (request: ClientRequest) => {
  answerTo(request).then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => process.exit(0));
process.send?.({ type: "ready" });
