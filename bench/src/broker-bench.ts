/**
 * `npm run bench -- broker`: messages through a broker group of three processes, published one by
 * one and read back, beside a bare program that moves the same bytes over the same hops.
 */

import { mkdirSync } from "node:fs";
import type { Durability } from "@quorumlog/client";
import { TestAuthority } from "@quorumlog/transport/testing";
import { BrokerCluster } from "./broker/broker-cluster.ts";
import type { BenchTls } from "./broker/server-tls.ts";
import { answered } from "./broker/client-answer.ts";
import type { PublishLoad } from "./broker/client-process.ts";
import {
  type BrokerCase,
  type BrokerRound,
  drawBroker,
  nameOfSize,
} from "./drawings/broker-drawing.ts";
import { OUTCOME_FOLDER, writeOutcome } from "./outcome/outcome.ts";
import { BARE_SERVERS, bareLoad, SpikeGroup } from "./spike/spike-group.ts";

interface Ground {
  readonly folder: string;
  readonly timeMs: number;
  readonly round: number;
  /** On every port of the brokers, the NameServer and between them; the bare program has none. */
  readonly tls: BenchTls | undefined;
}

const SIZES = [100, 1_024, 10_240];
const IN_FLIGHT = [1, 64, 1_000, 10_000];
const DURABILITIES: readonly Durability[] = ["quorum", "leader", "async"];
const CASES: readonly BrokerCase[] = DURABILITIES.flatMap((durability) =>
  SIZES.flatMap((messageBytes) =>
    IN_FLIGHT.map((inFlight) => ({ messageBytes, inFlight, durability })),
  ),
);
const WARMUP_SHARE = 0.5;
/** Code that has just begun to run is slow: a broker is measured as it is after some work. */
const WARMUP: PublishLoad = { messageBytes: 1_024, inFlight: 1_000, durability: "quorum" };
const WARMUP_MS = 2_000;
/** With its own load, too: V8 optimizes what has run often, which takes long if it runs seldom. */
const WARM_MESSAGES = 12_000;
const WARM_MS_MAX = 20_000;

export async function runBrokerBench(options: {
  readonly timeMs: number;
  readonly rounds: number;
  readonly only: string | undefined;
  readonly hasTls: boolean;
}): Promise<void> {
  const { timeMs, rounds, only, hasTls } = options;
  const tls = hasTls ? certified() : undefined;
  const folder = OUTCOME_FOLDER;
  mkdirSync(folder, { recursive: true });
  const cases = CASES.filter((each) => only === undefined || nameOf(each).includes(only));
  const results = cases.map(() => [] as BrokerRound[]);
  for (let round = 0; round < rounds; round++)
    for (const [at, each] of cases.entries()) {
      process.stderr.write(`round ${round + 1}/${rounds}, ${nameOf(each)}\n`);
      results[at]?.push(await measure(each, { folder, timeMs, round, tls }));
    }
  const isSound = print(cases, results);
  const rows = cases.map((each, at) => ({ ...each, rounds: results[at] ?? [] }));
  const name = hasTls ? "broker-tls" : "broker";
  const outcome = { timeMs, rounds, hasTls, rows };
  await writeOutcome({ bench: "broker", name, results: outcome, draw: drawBroker });
  if (!isSound) throw new Error("not everything that was acknowledged was read back as it was");
}

async function measure(
  each: BrokerCase,
  { folder, timeMs, round, tls }: Ground,
): Promise<BrokerRound> {
  // A bare program has one durability; it is measured beside the one that is like it.
  const bare =
    each.durability === "quorum"
      ? await bareMessagesPerSecond(each, { folder, timeMs })
      : Number.NaN;
  const cluster = await BrokerCluster.start(folder, tls);
  try {
    const { client, admin } = cluster;
    const topic = `bench-${round}`;
    await admin.createTopic({ name: "warm-up" });
    await client.ask({ type: "begin", topics: ["warm-up"], load: WARMUP });
    await client.ask({ type: "publish", ms: WARMUP_MS });
    await admin.createTopic({ name: topic });
    await client.ask({ type: "begin", topics: [topic], load: each });
    await warmUp(client, timeMs * WARMUP_SHARE);
    const before = await cluster.usage();
    const published = answered(await client.ask({ type: "publish", ms: timeMs }), "published");
    const after = await cluster.usage();
    const consumed = answered(await client.ask({ type: "consume" }), "consumed");
    const used = after.map(({ cpuMicros }, at) => cpuMicros - (before[at]?.cpuMicros ?? 0));
    const cpuMicros = [published.cpuMicros, ...used].map((micros) => micros / published.messages);
    const anonymousMb = after.map(({ anonymousKb }) => anonymousKb / 1_024);
    return { bare, published, consumed, cpuMicros, anonymousMb };
  } finally {
    await cluster.stop();
  }
}

async function bareMessagesPerSecond(
  load: BrokerCase,
  { folder, timeMs }: Pick<Ground, "folder" | "timeMs">,
): Promise<number> {
  const group = await SpikeGroup.start(BARE_SERVERS, folder);
  try {
    return (await group.load(bareLoad(load), timeMs)).messagesPerSecond;
  } finally {
    group.stop();
  }
}

async function warmUp(client: BrokerCluster["client"], ms: number): Promise<void> {
  let messages = 0;
  for (let spentMs = 0; spentMs < WARM_MS_MAX; spentMs += ms) {
    const published = answered(await client.ask({ type: "publish", ms }), "published");
    messages += published.messages;
    if (messages >= WARM_MESSAGES) return;
  }
}

function certified(): BenchTls {
  const authority = new TestAuthority();
  return { authority: authority.certificate, ...authority.issue() };
}

function nameOf({ messageBytes, inFlight, durability }: BrokerCase): string {
  return `${durability} ${nameOfSize(messageBytes)} x ${inFlight}`;
}

/** @returns whether everything was read back as it was acknowledged. */
function print(
  cases: readonly BrokerCase[],
  results: readonly (readonly BrokerRound[])[],
): boolean {
  const heads = " acked/s   MB/s    p50    p99   bare/s ratio   read/s  CPU us, anonymous MB";
  console.log(`\n${"".padEnd(22)}${heads}`);
  let isSound = true;
  for (const [at, each] of cases.entries()) {
    const rows = results[at] ?? [];
    const rate = median(rows, rateOf);
    const row = rows.find((one) => rateOf(one) === rate);
    if (rate === undefined || row === undefined) continue;
    const bare = median(rows, (one) => one.bare) ?? Number.NaN;
    const ratio = median(rows, (one) => rateOf(one) / one.bare) ?? Number.NaN;
    const read = median(rows, ({ consumed }) => consumed.read / consumed.seconds) ?? Number.NaN;
    const { p50Ms, p99Ms } = row.published;
    const cells = [
      count(rate, 8),
      ((rate * each.messageBytes) / 1e6).toFixed(1).padStart(7),
      p50Ms.toFixed(2).padStart(7),
      p99Ms.toFixed(2).padStart(7),
      Number.isNaN(bare) ? "        -     -" : `${count(bare, 9)} ${ratio.toFixed(2)}`,
      count(read, 9),
      `  ${row.cpuMicros.map((micros) => micros.toFixed(1)).join(" + ")}`,
      `  ${row.anonymousMb.map((mb) => mb.toFixed(0)).join("/")}`,
    ];
    console.log(`${nameOf(each).padEnd(22)}${cells.join("")}`);
    for (const { published, consumed } of rows)
      if (published.failed + consumed.lost + consumed.wrong > 0) {
        isSound = false;
        const { lost, wrong } = consumed;
        console.log(`  FAILED ${published.failed}, lost ${lost}, wrong ${wrong}`);
      }
  }
  return isSound;
}

function rateOf({ published }: BrokerRound): number {
  return published.messages / published.seconds;
}

function count(value: number, width: number): string {
  return Math.round(value).toLocaleString("en-US").padStart(width);
}

function median<T>(items: readonly T[], valueOf: (item: T) => number): number | undefined {
  const sorted = items.map(valueOf).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
