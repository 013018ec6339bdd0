/**
 * `npm run bench -- backlog`: some million messages wait; a consumer drains them while publishing
 * goes on at a steady rate. How much slower is publishing meanwhile?
 */

import { mkdirSync } from "node:fs";
import { BrokerCluster } from "./broker/broker-cluster.ts";
import { answered } from "./broker/client-answer.ts";
import type { PublishFigures } from "./broker/client-process.ts";
import type { DrainConfig, DrainProgress } from "./broker/drain-process.ts";
import { drawBacklog, type DrainStep } from "./drawings/backlog-drawing.ts";
import { ForkedNode } from "./forked-node.ts";
import { OUTCOME_FOLDER, writeOutcome } from "./outcome/outcome.ts";

const TOPIC = "backlog";
const MESSAGE_BYTES = 200;
const IN_FLIGHT = 10_000;
/** Of the steady load. */
const PER_SECOND = 5_000;
const WINDOW_MS = 5_000;
const FILL_MS_MAX = 600_000;
const DRAIN_WINDOWS_MAX = 120;

export async function runBacklogBench({ millions }: { readonly millions: number }): Promise<void> {
  const folder = OUTCOME_FOLDER;
  mkdirSync(folder, { recursive: true });
  const cluster = await BrokerCluster.start(folder);
  try {
    const { client, admin } = cluster;
    await admin.createTopic({ name: TOPIC });
    const load = {
      messageBytes: MESSAGE_BYTES,
      inFlight: IN_FLIGHT,
      durability: "quorum" as const,
    };
    await client.ask({ type: "begin", topics: [TOPIC], load });
    process.stderr.write(`publishing ${millions} million messages\n`);
    const messages = millions * 1_000_000;
    const filled = answered(
      await client.ask({ type: "publish", ms: FILL_MS_MAX, messages }),
      "published",
    );
    const before = await window(cluster);
    const drained = await drain(cluster, messages);
    const { during, steps, progress } = drained;
    print({ filled, before, ...drained });
    const plan = { millions, perSecond: PER_SECOND, messageBytes: MESSAGE_BYTES };
    const results = { ...plan, windowMs: WINDOW_MS, filled, before, during, steps };
    await writeOutcome({ bench: "backlog", results, draw: drawBacklog });
    if (progress.wrong > 0) throw new Error(`${progress.wrong} messages were out of place`);
  } finally {
    await cluster.stop();
  }
}

async function window({ client }: BrokerCluster): Promise<PublishFigures> {
  const figures = await client.ask({ type: "pace", perSecond: PER_SECOND, ms: WINDOW_MS });
  return answered(figures, "published");
}

interface Drained {
  /** Publishing, window by window, while the backlog was drained. */
  readonly during: readonly PublishFigures[];
  readonly seconds: number;
  /** At the end of each window. */
  readonly steps: readonly DrainStep[];
  readonly progress: DrainProgress;
}

async function drain(cluster: BrokerCluster, messages: number): Promise<Drained> {
  process.stderr.write("draining\n");
  const config: DrainConfig = { nameServer: cluster.nameServerAddress, topic: TOPIC };
  const file = new URL("./broker/drain-process.js", import.meta.url);
  const consumer = new ForkedNode<Record<string, never>, DrainProgress>(file, config);
  try {
    await consumer.nextAnswer();
    const startedAt = performance.now();
    const during: PublishFigures[] = [];
    const steps: DrainStep[] = [];
    while (during.length < DRAIN_WINDOWS_MAX) {
      during.push(await window(cluster));
      const progress = await consumer.ask({});
      process.stderr.write(`  ${progress.consumed.toLocaleString("en-US")} consumed\n`);
      const seconds = (performance.now() - startedAt) / 1_000;
      steps.push({ seconds, consumed: progress.consumed });
      if (progress.consumed >= messages) return { during, seconds, steps, progress };
    }
    throw new Error("the backlog was not drained in ten minutes");
  } finally {
    consumer.signal("SIGKILL");
  }
}

function print(result: Drained & { filled: PublishFigures; before: PublishFigures }): void {
  const { filled, before, during, seconds, progress } = result;
  console.log(`\nfilled at ${rate(filled.messages, filled.seconds)}`);
  // Windows in which nothing was drained any more would flatter.
  console.log(`drained at ${rate(progress.consumed, seconds)}, window by window`);
  console.log(`publishing ${PER_SECOND}/s, of ${MESSAGE_BYTES} B:      p50       p99 (ms)`);
  for (const [name, { p50Ms, p99Ms }] of [
    ["before", before] as const,
    ...during.map((each, i) => [`drain, window ${i + 1}`, each] as const),
  ])
    console.log(
      `${name.padEnd(34)}${p50Ms.toFixed(2).padStart(8)}${p99Ms.toFixed(2).padStart(10)}`,
    );
  const sorted = during.map(({ p99Ms }) => p99Ms).toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  console.log(`median p99 of the drain: ${(median / before.p99Ms).toFixed(2)} of that before`);
}

function rate(count: number, seconds: number): string {
  return `${Math.round(count / seconds).toLocaleString("en-US")}/s`;
}
