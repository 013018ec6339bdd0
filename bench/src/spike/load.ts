/** The load of the spike, as a process: `node load.js JSON`. It prints its figures as JSON. */

import { BatchBuilder } from "./record-batch.ts";
import { openStream } from "./server.ts";

export interface LoadConfig {
  readonly port: number;
  readonly work: "full" | "bare";
  readonly messageBytes: number;
  readonly inFlight: number;
  /** A container closes when it holds this much, or when fewer than two are under way. */
  readonly containerBytes: number;
  readonly queues: number;
  readonly warmupMs: number;
  readonly ms: number;
}

export interface LoadResult {
  readonly messagesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicrosPerMessage: number;
}

const config = JSON.parse(process.argv[2] ?? "{}") as LoadConfig;
const stream = openStream(config.port);
const latencies: number[] = [];
/** Where the run stands. */
const run = { done: 0, isMeasured: false, isOver: false };

interface Waiting {
  readonly resolves: (() => void)[];
}

/** `send()` returns a promise for each message; messages of a turn share a container. */
class Producer {
  readonly #waiting: Waiting[] = [];
  #open = new Map<number, BatchBuilder>();
  #bytes = 0;
  #resolves: (() => void)[] = [];
  #isScheduled = false;

  constructor() {
    stream.on("data", () => {
      const { resolves } = this.#waiting.shift() ?? { resolves: [] };
      for (const resolve of resolves) resolve();
      this.#schedule();
    });
  }

  send(queue: number, body: Buffer): Promise<void> {
    let batch = this.#open.get(queue);
    if (batch !== undefined && !batch.hasRoom(body)) {
      this.#flush();
      batch = undefined;
    }
    if (batch === undefined) {
      batch = new BatchBuilder(queue, config.containerBytes + body.length + 64);
      this.#open.set(queue, batch);
    }
    batch.add(body);
    this.#bytes += body.length;
    const promise = new Promise<void>((resolve) => this.#resolves.push(resolve));
    if (this.#bytes >= config.containerBytes) this.#flush();
    else this.#schedule();
    return promise;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#bytes === 0 || this.#waiting.length >= 2) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (this.#bytes > 0 && this.#waiting.length < 2) this.#flush();
    });
  }

  #flush(): void {
    const sealed = [...this.#open.values()].map((batch) => batch.seal());
    const [first] = sealed;
    stream.write(sealed.length === 1 && first !== undefined ? first : Buffer.concat(sealed));
    this.#waiting.push({ resolves: this.#resolves });
    this.#open = new Map();
    this.#bytes = 0;
    this.#resolves = [];
  }
}

async function produce(producer: Producer, worker: number): Promise<void> {
  const body = Buffer.alloc(config.messageBytes, worker);
  for (let serial = 0; !run.isOver; serial++) {
    body.writeUInt32LE(serial, 0);
    body.writeUInt32LE(worker, 4);
    const start = performance.now();
    await producer.send(worker % config.queues, body);
    if (run.isMeasured) latencies.push(performance.now() - start);
    run.done += 1;
  }
}

/** The same bytes, opaque: a container stands for as many messages as fit. */
function pushBare(): void {
  const perContainer = Math.max(1, Math.floor(config.containerBytes / config.messageBytes));
  const window = Math.max(1, Math.round(config.inFlight / perContainer));
  const messages = Math.min(perContainer, config.inFlight);
  const template = Buffer.alloc(messages * config.messageBytes, 7);
  const starts: number[] = [];
  let serial = 0;
  const push = (): void => {
    const body = Buffer.from(template);
    body.writeDoubleLE((serial += 1), 0);
    starts.push(performance.now());
    stream.write(body);
  };
  stream.on("data", () => {
    if (run.isMeasured) latencies.push(performance.now() - (starts.shift() ?? 0));
    else starts.shift();
    run.done += messages;
    if (!run.isOver) push();
  });
  for (let each = 0; each < window; each++) push();
}

if (config.work === "bare") pushBare();
else {
  const producer = new Producer();
  for (let worker = 0; worker < config.inFlight; worker++) void produce(producer, worker);
}

setTimeout(() => {
  run.isMeasured = true;
  const from = run.done;
  const cpu = process.cpuUsage();
  const start = performance.now();
  process.send?.("measuring");
  setTimeout(() => {
    const seconds = (performance.now() - start) / 1_000;
    const { user, system } = process.cpuUsage(cpu);
    const count = run.done - from;
    run.isOver = true;
    const sorted = latencies.sort((a, b) => a - b);
    const result: LoadResult = {
      messagesPerSecond: count / seconds,
      p50Ms: sorted[Math.floor(sorted.length * 0.5)] ?? 0,
      p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
      cpuMicrosPerMessage: (user + system) / count,
    };
    process.send?.(result);
  }, config.ms);
}, config.warmupMs);
