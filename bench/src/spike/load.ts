/**
 * The load of the spike, as a process: `node load.js JSON`. Each message asks it for one load; it
 * answers when it begins to measure, and then with its figures.
 */

import { BatchBuilder } from "./record-batch.ts";
import { openStream } from "./server.ts";

export interface LoadProcessConfig {
  readonly port: number;
  readonly work: "full" | "bare";
}

export interface LoadConfig {
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

export type LoadAnswer = "ready" | "measuring" | LoadResult;

type Stream = ReturnType<typeof openStream>;

/** Where a load stands. */
class Progress {
  done = 0;
  isMeasured = false;
  isOver = false;
  readonly latencies: number[] = [];

  onDone(messages: number, startedAt: number): void {
    if (this.isMeasured) this.latencies.push(performance.now() - startedAt);
    this.done += messages;
  }
}

interface Waiting {
  readonly resolves: (() => void)[];
}

/** `send()` returns a promise for each message; messages of a turn share a container. */
class Producer {
  readonly #stream: Stream;
  readonly #containerBytes: number;
  readonly #waiting: Waiting[] = [];
  #open = new Map<number, BatchBuilder>();
  #bytes = 0;
  #resolves: (() => void)[] = [];
  #isScheduled = false;

  constructor(stream: Stream, containerBytes: number) {
    this.#stream = stream;
    this.#containerBytes = containerBytes;
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
      batch = new BatchBuilder(queue, this.#containerBytes + body.length + 64);
      this.#open.set(queue, batch);
    }
    batch.add(body);
    this.#bytes += body.length;
    const promise = new Promise<void>((resolve) => this.#resolves.push(resolve));
    if (this.#bytes >= this.#containerBytes) this.#flush();
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
    this.#stream.write(sealed.length === 1 && first !== undefined ? first : Buffer.concat(sealed));
    this.#waiting.push({ resolves: this.#resolves });
    this.#open = new Map();
    this.#bytes = 0;
    this.#resolves = [];
  }
}

async function produceFull(stream: Stream, load: LoadConfig, progress: Progress): Promise<void> {
  const producer = new Producer(stream, load.containerBytes);
  const produce = async (worker: number): Promise<void> => {
    const body = Buffer.alloc(load.messageBytes, worker);
    for (let serial = 0; !progress.isOver; serial++) {
      body.writeUInt32LE(serial, 0);
      body.writeUInt32LE(worker, 4);
      const startedAt = performance.now();
      await producer.send(worker % load.queues, body);
      progress.onDone(1, startedAt);
    }
  };
  await Promise.all(Array.from({ length: load.inFlight }, (_, worker) => produce(worker)));
}

/** The same bytes, opaque: a container stands for as many messages as fit. */
function pushBare(stream: Stream, load: LoadConfig, progress: Progress): Promise<void> {
  const perContainer = Math.max(1, Math.floor(load.containerBytes / load.messageBytes));
  const window = Math.max(1, Math.round(load.inFlight / perContainer));
  const messages = Math.min(perContainer, load.inFlight);
  const template = Buffer.alloc(messages * load.messageBytes, 7);
  const starts: number[] = [];
  let serial = 0;
  const push = (): void => {
    const body = Buffer.from(template);
    body.writeDoubleLE((serial += 1), 0);
    starts.push(performance.now());
    stream.write(body);
  };
  return new Promise((resolve) => {
    stream.on("data", () => {
      progress.onDone(messages, starts.shift() ?? 0);
      if (!progress.isOver) push();
      else if (starts.length === 0) resolve();
    });
    for (let each = 0; each < window; each++) push();
  });
}

/** Returns when nothing is under way any more. */
async function run({ port, work }: LoadProcessConfig, load: LoadConfig): Promise<LoadResult> {
  const stream = openStream(port);
  const progress = new Progress();
  const produce = work === "bare" ? pushBare : produceFull;
  const working = produce(stream, load, progress);
  await passed(load.warmupMs);
  progress.isMeasured = true;
  const from = progress.done;
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  process.send?.("measuring" satisfies LoadAnswer);
  await passed(load.ms);
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const count = progress.done - from;
  const sorted = Float64Array.from(progress.latencies).sort();
  progress.isOver = true;
  await working;
  stream.end();
  return {
    messagesPerSecond: count / seconds,
    p50Ms: sorted[Math.floor(sorted.length * 0.5)] ?? 0,
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    cpuMicrosPerMessage: (user + system) / count,
  };
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

const config = JSON.parse(process.argv[2] ?? "{}") as LoadProcessConfig;
process.on("message", (load: LoadConfig) => {
  run(config, load).then(
    (result) => process.send?.(result satisfies LoadAnswer),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => process.exit(0));
process.send?.("ready" satisfies LoadAnswer);
