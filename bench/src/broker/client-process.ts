/**
 * The load, as its own process: `node client-process.js JSON`. It publishes message by message,
 * each with a body of its own, and then reads everything back.
 */

import { type Durability, Producer, PullConsumer } from "@quorumlog/client";
import { type Audit, Ledger, QUEUE_COUNT, SERIAL_BYTES } from "./ledger.ts";

export interface ClientConfig {
  readonly nameServer: string;
}

export type ClientRequest =
  | { readonly type: "begin"; readonly topics: readonly string[]; readonly load: PublishLoad }
  | { readonly type: "publish"; readonly ms: number }
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

const { nameServer } = JSON.parse(process.argv[2] ?? "{}") as ClientConfig;
const nameServers = [nameServer];
const producer = await Producer.open({
  nameServers,
  producerGroup: "bench",
  bufferBytes: BUFFER_BYTES,
  timeoutMs: TIMEOUT_MS,
});

/** Taken in turn. */
let topics: readonly string[] = [];
let load: PublishLoad;
let ledger: Ledger;
let serial = 0;

async function publish(ms: number): Promise<PublishFigures> {
  const { messageBytes, inFlight, durability } = load;
  const latencies: number[] = [];
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const until = startedAt + ms;
  let failed = 0;
  const worker = async (): Promise<void> => {
    const body = Buffer.alloc(messageBytes, Math.floor(Math.random() * 256));
    while (performance.now() < until) {
      const number = serial++;
      body.writeUInt32LE(number, 0);
      const topic = topics[number % topics.length] ?? "";
      const sentAt = performance.now();
      try {
        ledger.ack(number, await producer.send(topic, { body }, { durability }));
        latencies.push(performance.now() - sentAt);
      } catch (error) {
        failed += 1;
        if (failed === 1) console.error(error);
      }
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return {
    type: "published",
    messages: sorted.length,
    seconds,
    failed,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    cpuMicros: user + system,
  };
}

async function consume(): Promise<ConsumeFigures> {
  const consumer = await PullConsumer.open({ nameServers, startFrom: "earliest" });
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
  if (request.type === "publish") return publish(request.ms);
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
