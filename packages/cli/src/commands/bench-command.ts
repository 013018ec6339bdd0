/** `quorumlog bench`: how much a cluster takes and gives, and how long it takes to answer. */

import { type Admin, Producer, PullConsumer } from "@quorumlog/client";
import {
  CLUSTER_SETTINGS,
  clusterOptions,
  clusterProblems,
  openAdmin,
} from "../cluster-settings.ts";
import { type Command, command } from "../command.ts";
import { EXIT } from "../failure.ts";
import { LoadMeter, type Measured } from "../load-meter.ts";
import { withProgress } from "../progress.ts";
import { tableOf } from "../table.ts";

const POLL_MS = 10_000;
const BATCH_MAX = 5_000;
const SEND_MS = 30_000;

interface Load {
  readonly admin: Admin;
  readonly cluster: ReturnType<typeof clusterOptions>;
  readonly topic: string;
  readonly messages: number;
  readonly size: number;
  readonly inFlight: number;
  readonly durability: "quorum" | "leader" | "async";
  readonly signal: AbortSignal;
}

export const BENCH: Command = command(
  {
    ...CLUSTER_SETTINGS,
    topic: { type: "text", about: "made if it is missing; its messages stay", fallback: "bench" },
    messages: { type: "integer", about: "how many", min: 1, max: 100_000_000, fallback: 100_000 },
    size: { type: "integer", about: "bytes of each", min: 1, max: 4_000_000, fallback: 1_024 },
    inFlight: { type: "integer", about: "sent at a time", min: 1, max: 100_000, fallback: 1_000 },
    durability: {
      type: "text",
      about: "where a message is before it counts",
      oneOf: ["quorum", "leader", "async"],
      fallback: "quorum",
    },
  },
  {
    name: "bench",
    about: "publishes and consumes: messages per second, and how long an answer takes",
    notes: ["Exit code 1 if not every acknowledged message is read back."],
    examples: ["quorumlog bench --size 100 --in-flight 64"],
    relations: clusterProblems,
    async run({ settings, signal }) {
      const { topic, messages, size, inFlight, durability, json } = settings;
      const cluster = clusterOptions(settings);
      await using admin = await openAdmin(settings, signal);
      await admin.createTopic({ name: topic, isIdempotent: true, signal });
      const load = { admin, cluster, topic, messages, size, inFlight, durability, signal };
      const starts = await admin.queueOffsets({ topic, place: "latest" }, { signal });
      const published = await publish(load);
      const consumed = await consume(load, starts);
      const results = [
        { phase: "publish", ...published },
        { phase: "consume", ...consumed },
      ];
      if (json) for (const result of results) console.log(JSON.stringify(result));
      else console.log(resultTable(results));
      return consumed.messages >= published.messages ? EXIT.done : EXIT.failed;
    },
  },
);

async function publish(load: Load): Promise<Measured> {
  const { cluster, topic, messages, size, inFlight, durability, signal } = load;
  await using producer = await Producer.open({
    ...cluster,
    producerGroup: "quorumlog-bench",
    durability,
    timeoutMs: SEND_MS,
    onFull: "wait",
    signal,
  });
  const meter = new LoadMeter(messages, size);
  let next = 0;
  const sender = async (): Promise<void> => {
    while (next < messages && !signal.aborted) {
      const body = Buffer.alloc(size, ".");
      // Distinct, as what is all the same is too easy for caches.
      body.write(String(next));
      next += 1;
      const startedAt = performance.now();
      await producer.send(topic, { body });
      meter.add(performance.now() - startedAt);
    }
  };
  await withProgress(
    () => `${meter.count} of ${messages} messages are acknowledged`,
    () => Promise.all(Array.from({ length: Math.min(inFlight, messages) }, sender)),
  );
  return meter.measured();
}

async function consume(
  { admin, cluster, topic, size, signal }: Load,
  starts: readonly number[],
): Promise<Measured> {
  const ends = await admin.queueOffsets({ topic, place: "latest" }, { signal });
  const total = ends.reduce((sum, end, i) => sum + end - (starts[i] ?? 0), 0);
  await using consumer = await PullConsumer.open({ ...cluster, signal });
  const queues = consumer.queuesOf(topic);
  await consumer.assign(queues, { signal });
  await Promise.all(queues.map((queue, i) => consumer.seek(queue, starts[i] ?? 0, { signal })));
  const meter = new LoadMeter(0, size);
  const readAll = async (): Promise<void> => {
    while (meter.count < total) {
      const messages = await consumer.poll({ maxMessages: BATCH_MAX, timeoutMs: POLL_MS, signal });
      if (messages.length === 0) return;
      meter.addAll(messages.length);
    }
  };
  await withProgress(() => `${meter.count} of ${total} messages are read back`, readAll);
  return meter.measured();
}

function resultTable(results: readonly (Measured & { readonly phase: string })[]): string {
  const heads = ["", "messages", "seconds", "messages/s", "MB/s", "p50 ms", "p99 ms", "max ms"];
  const rows = results.map((result) => {
    const { phase, messages, seconds, messagesPerSecond, megabytesPerSecond, latencyMs } = result;
    const rate = [Math.round(messagesPerSecond), Number(megabytesPerSecond.toFixed(1))];
    const times = [latencyMs?.p50, latencyMs?.p99, latencyMs?.max].map(
      (ms) => ms?.toFixed(2) ?? "",
    );
    return [phase, messages, Number(seconds.toFixed(2)), ...rate, ...times];
  });
  return tableOf(heads, rows);
}
