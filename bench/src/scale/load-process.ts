/**
 * The load of one cluster, as its own process: `node load-process.js JSON`. It fills, it publishes
 * message by message in a closed loop, and it looks whether what was acknowledged is there.
 */

import { Producer } from "@quorumlog/client";
import { PlaceLedger, SERIAL_BYTES } from "./place-ledger.ts";
import { type AuditFigures, auditOf } from "./stored-audit.ts";

export interface LoadConfig {
  readonly nameServer: string;
  /** Taken in turn. */
  readonly topics: readonly string[];
  /** Of each topic. */
  readonly queueCount: number;
  readonly messageBytes: number;
  readonly inFlight: number;
  /** Each message goes to the next queue; else its producer chooses, batch by batch. */
  readonly isInTurn: boolean;
}

export type LoadRequest =
  | { readonly type: "fill"; readonly messages: number }
  /** Until the time is over, or so many were sent. */
  | { readonly type: "publish"; readonly ms: number; readonly messages?: number }
  /** `isWhole`: everything is read; else a sample. */
  | { readonly type: "audit"; readonly isWhole: boolean };

export interface LoadFigures {
  readonly type: "published";
  readonly messages: number;
  readonly seconds: number;
  readonly failed: number;
  /** Of calls; a fill's are of many messages each. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicros: number;
}

export type LoadAnswer =
  | { readonly type: "ready" }
  | LoadFigures
  | ({ readonly type: "audited" } & AuditFigures);

const BUFFER_BYTES = 512 * 1024 * 1024;
const TIMEOUT_MS = 30_000;
/** Of a call that fills; it is a batch of its own. */
const FILL_BYTES = 128 * 1024;
const FILL_MESSAGES_MAX = 1_000;
const FILL_CALLS = 32;

const config = JSON.parse(process.argv[2] ?? "{}") as LoadConfig;
const { topics, queueCount, messageBytes, inFlight, isInTurn } = config;
const bodyBytes = Math.max(2 * SERIAL_BYTES, messageBytes);
const fillCount = Math.max(1, Math.min(FILL_MESSAGES_MAX, Math.floor(FILL_BYTES / bodyBytes)));
const topicNumbers = new Map(topics.map((topic, at) => [topic, at]));
const ledger = new PlaceLedger(messageBytes);
const producer = await Producer.open({
  nameServers: [config.nameServer],
  producerGroup: "scale",
  bufferBytes: BUFFER_BYTES,
  timeoutMs: TIMEOUT_MS,
  ...(isInTurn ? { queueSelector } : {}),
});
let serial = 0;

function queueSelector({ body }: { readonly body: Uint8Array | string }, count: number): number {
  const number = (body as Buffer).readUInt32LE(0);
  return Math.floor(number / topics.length) % count;
}

function write(body: Buffer, number: number): void {
  body.writeUInt32LE(number, 0);
  body.writeUInt32LE(number, body.length - SERIAL_BYTES);
}

/** What became of the calls of one request. */
class Tally {
  readonly startedAt = performance.now();
  readonly #cpu = process.cpuUsage();
  readonly #latencies: number[] = [];
  #messages = 0;
  #failed = 0;

  /** @param bodies - With serial numbers that follow one another. */
  async send(first: number, bodies: readonly Buffer[]): Promise<void> {
    const topic = topics[first % topics.length] ?? "";
    const startedAt = performance.now();
    try {
      const [only] = bodies;
      const receipts =
        bodies.length === 1
          ? [await producer.send(topic, { body: only as Buffer })]
          : await producer.sendBatch(
              topic,
              bodies.map((body) => ({ body })),
            );
      for (const [i, receipt] of receipts.entries()) {
        const place = (topicNumbers.get(receipt.topic) ?? 0) * queueCount + receipt.queue;
        ledger.ack(place, receipt.offset ?? Number.NaN, first + i);
      }
      this.#messages += bodies.length;
      this.#latencies.push(performance.now() - startedAt);
    } catch (error) {
      this.#failed += bodies.length;
      if (this.#failed === bodies.length) console.error(error);
    }
  }

  figures(): LoadFigures {
    const seconds = (performance.now() - this.startedAt) / 1_000;
    const { user, system } = process.cpuUsage(this.#cpu);
    const sorted = Float64Array.from(this.#latencies).sort();
    const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
    return {
      type: "published",
      messages: this.#messages,
      seconds,
      failed: this.#failed,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      cpuMicros: user + system,
    };
  }
}

/** A closed loop: so many under way, each a message with a body of its own. */
async function publish(ms: number, messages = Number.POSITIVE_INFINITY): Promise<LoadFigures> {
  const tally = new Tally();
  const bounds = { until: tally.startedAt + ms, last: serial + messages };
  const worker = async (): Promise<void> => {
    const body = Buffer.alloc(bodyBytes);
    const bodies = [body];
    while (performance.now() < bounds.until && serial < bounds.last) {
      const number = serial++;
      write(body, number);
      await tally.send(number, bodies);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return tally.figures();
}

/** A closed loop of large batches. */
async function fill(messages: number): Promise<LoadFigures> {
  const tally = new Tally();
  const last = serial + messages;
  const worker = async (): Promise<void> => {
    const bytes = Buffer.alloc(fillCount * bodyBytes);
    const all = Array.from({ length: fillCount }, (_, i) =>
      bytes.subarray(i * bodyBytes, (i + 1) * bodyBytes),
    );
    while (serial < last) {
      const first = serial;
      const bodies = all.slice(0, Math.min(fillCount, last - first));
      serial += bodies.length;
      for (const [i, body] of bodies.entries()) write(body, first + i);
      await tally.send(first, bodies);
    }
  };
  await Promise.all(Array.from({ length: FILL_CALLS }, worker));
  return tally.figures();
}

async function answerTo(request: LoadRequest): Promise<LoadAnswer> {
  if (request.type === "publish") return publish(request.ms, request.messages);
  if (request.type === "fill") return fill(request.messages);
  const { nameServer } = config;
  const ground = { nameServer, topics, queueCount, bodyBytes, ledger };
  return { type: "audited", ...(await auditOf(ground, request.isWhole)) };
}

process.on("message", (request: LoadRequest) => {
  answerTo(request).then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => process.exit(0));
process.send?.({ type: "ready" } satisfies LoadAnswer);
