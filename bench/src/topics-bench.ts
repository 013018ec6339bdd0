/**
 * `npm run bench -- topics`: a thousand topics and two hundred consumer groups on one broker group,
 * beside one topic and no groups, first while the groups are paused, then while they consume; and
 * how long such a group takes to start after kill -9 of all.
 */

import { mkdirSync } from "node:fs";
import { BrokerCluster } from "./broker/broker-cluster.ts";
import { answered } from "./broker/client-answer.ts";
import type { PublishFigures } from "./broker/client-process.ts";
import type { GroupsConfig, GroupsUsage, GroupsWish } from "./broker/groups-process.ts";
import { drawTopics, type Restart, type TopicsRow } from "./drawings/topics-drawing.ts";
import { ForkedNode } from "./forked-node.ts";
import { OUTCOME_FOLDER, writeOutcome } from "./outcome/outcome.ts";

const TOPICS = Array.from({ length: 1_000 }, (_, i) => `topic-${i}`);
const GROUP_COUNT = 200;
const IN_FLIGHT = [1_000, 10_000];
const MESSAGE_BYTES = 1_024;
/** Asked for at a time. */
const CREATIONS = 16;
const WARMUP_SHARE = 0.5;
const RESTARTS = 3;

export async function runTopicsBench(options: {
  readonly timeMs: number;
  readonly rounds: number;
}): Promise<void> {
  const { timeMs, rounds } = options;
  const folder = OUTCOME_FOLDER;
  mkdirSync(folder, { recursive: true });
  const cluster = await BrokerCluster.start(folder);
  try {
    await cluster.admin.createTopic({ name: "one" });
    const one = await measureAll(cluster, ["one"], { timeMs, rounds });
    await createAll(cluster);
    const groups = await joinAll(cluster);
    const many = await measureAll(cluster, TOPICS, { timeMs, rounds });
    await groups.ask({ isPaused: false });
    const meanwhile = await measureAll(cluster, TOPICS, { timeMs, rounds });
    const { consumed } = await groups.ask({ isPaused: false });
    groups.signal("SIGKILL");
    const rows = IN_FLIGHT.map((inFlight, at) => {
      return { inFlight, one: one[at] ?? [], many: many[at] ?? [], consumed: meanwhile[at] ?? [] };
    });
    const restarts: Restart[] = [];
    for (let i = 0; i < RESTARTS; i++) restarts.push(await restart(cluster));
    print(rows, restarts, consumed);
    const counts = { topicCount: TOPICS.length, groupCount: GROUP_COUNT };
    const results = { timeMs, rounds, ...counts, rows, restarts, consumed };
    await writeOutcome({ bench: "topics", results, draw: drawTopics });
  } finally {
    await cluster.stop();
  }
}

/** @returns messages per second, by how many are under way. */
async function measureAll(
  cluster: BrokerCluster,
  topics: readonly string[],
  { timeMs, rounds }: { readonly timeMs: number; readonly rounds: number },
): Promise<number[][]> {
  const rates = IN_FLIGHT.map(() => [] as number[]);
  for (let round = 0; round < rounds; round++)
    for (const [at, inFlight] of IN_FLIGHT.entries()) {
      process.stderr.write(`round ${round + 1}/${rounds}, ${topics.length} topics x ${inFlight}\n`);
      const { messages, seconds } = await publish(cluster, topics, { inFlight, timeMs });
      rates[at]?.push(messages / seconds);
    }
  return rates;
}

async function publish(
  { client }: BrokerCluster,
  topics: readonly string[],
  { inFlight, timeMs }: { readonly inFlight: number; readonly timeMs: number },
): Promise<PublishFigures> {
  const load = { messageBytes: MESSAGE_BYTES, inFlight, durability: "quorum" as const };
  await client.ask({ type: "begin", topics, load });
  await client.ask({ type: "publish", ms: timeMs * WARMUP_SHARE });
  const figures = answered(await client.ask({ type: "publish", ms: timeMs }), "published");
  if (figures.failed > 0) throw new Error(`${figures.failed} messages were not published`);
  return figures;
}

async function createAll({ admin }: BrokerCluster): Promise<void> {
  process.stderr.write(`making ${TOPICS.length} topics\n`);
  const left = TOPICS.values();
  const work = async (): Promise<void> => {
    for (const name of left) await admin.createTopic({ name });
  };
  await Promise.all(Array.from({ length: CREATIONS }, work));
}

/** Each group reads its share of the topics. */
async function joinAll(cluster: BrokerCluster): Promise<ForkedNode<GroupsWish, GroupsUsage>> {
  process.stderr.write(`joining ${GROUP_COUNT} groups\n`);
  const share = TOPICS.length / GROUP_COUNT;
  const config: GroupsConfig = {
    nameServer: cluster.nameServerAddress,
    groups: Array.from({ length: GROUP_COUNT }, (_, i) => TOPICS.slice(i * share, (i + 1) * share)),
  };
  const file = new URL("./broker/groups-process.js", import.meta.url);
  const groups = new ForkedNode<GroupsWish, GroupsUsage>(file, config);
  await groups.nextAnswer();
  return groups;
}

async function restart(cluster: BrokerCluster): Promise<Restart> {
  process.stderr.write("kill -9 of all nodes\n");
  const load = { messageBytes: MESSAGE_BYTES, inFlight: 1, durability: "quorum" as const };
  const startedAt = performance.now();
  const opened = cluster.restartAll().then(() => performance.now() - startedAt);
  await cluster.client.ask({ type: "begin", topics: ["topic-7"], load });
  // One message, which is sent until a leader has it.
  const { messages } = answered(await cluster.client.ask({ type: "publish", ms: 1 }), "published");
  const publishedMs = performance.now() - startedAt;
  if (messages === 0) throw new Error("nothing was published after the restart");
  return { openSeconds: (await opened) / 1_000, publishSeconds: publishedMs / 1_000 };
}

function print(rows: readonly TopicsRow[], restarts: readonly Restart[], consumed: number): void {
  console.log(`\nin flight     1 topic/s  ${TOPICS.length} topics/s   ratio   consumed meanwhile`);
  for (const { inFlight, one, many, consumed: meanwhile } of rows) {
    const [few, lots, busy] = [median(one), median(many), median(meanwhile)];
    const ratioCell = (rate: number): string => (rate / few).toFixed(2).padStart(8);
    const start = `${String(inFlight).padStart(9)}${cell(few)}`;
    console.log(`${start}${cell(lots)}${ratioCell(lots)}${cell(busy)}${ratioCell(busy)}`);
  }
  console.log(`${GROUP_COUNT} groups have consumed ${consumed.toLocaleString("en-US")} meanwhile`);
  for (const { openSeconds, publishSeconds } of restarts)
    console.log(
      `after kill -9 of all: all serve after ${openSeconds.toFixed(2)} s, ` +
        `a message is acknowledged after ${publishSeconds.toFixed(2)} s`,
    );
}

function cell(rate: number): string {
  return Math.round(rate).toLocaleString("en-US").padStart(14);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
