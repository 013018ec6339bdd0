/**
 * Shows what the cluster is for: messages are published while its leader is killed, and every one
 * of them is consumed again, once and in order.
 */

import { type Admin, type ClusterOptions, Producer, PullConsumer } from "@quorumlog/client";
import { lookAtCluster } from "../cluster-look.ts";
import { pause } from "../process-life.ts";
import { withProgress } from "../progress.ts";
import type { LocalCluster } from "./local-cluster.ts";

const TOPIC = "demonstration";
const QUEUE_COUNT = 4;
const MESSAGE_GROUPS = 16;
const MESSAGE_COUNT = 20_000;
const IN_FLIGHT = 1_000;
const GROUP_ID = 1;
const IDLE_MS = 10_000;
const SEND_MS = 30_000;
const LOOK_MS = 100;

export interface Demonstrated {
  readonly acknowledged: number;
  readonly consumed: number;
  /** Consumed more than once. */
  readonly duplicates: number;
  /** Within each message group. */
  readonly isInOrder: boolean;
}

export async function demonstrate(
  { local, admin, cluster }: { local: LocalCluster; admin: Admin; cluster: ClusterOptions },
  signal: AbortSignal,
): Promise<Demonstrated> {
  const wish = { name: TOPIC, queueCount: QUEUE_COUNT, type: "fifo", isIdempotent: true } as const;
  await admin.createTopic({ ...wish, signal });
  // What an earlier demonstration has left is not this one's.
  const starts = await admin.queueOffsets({ topic: TOPIC, place: "latest" }, { signal });
  const { groups } = admin.cluster();
  const leader = groups.find(({ groupId }) => groupId === GROUP_ID)?.leaderNodeId ?? 1;
  console.log(`\npublishing ${MESSAGE_COUNT} messages in ${MESSAGE_GROUPS} message groups`);
  const publisher = new Publisher(cluster, signal);
  const kill = async (): Promise<void> => {
    console.log(
      `${publisher.acknowledged} are acknowledged: kill -9 of node ${leader}, the leader`,
    );
    await local.broker(leader).kill();
  };
  const acknowledged = await withProgress("publishing", () => publisher.publishAll(kill));
  const gap = Math.round(publisher.longestGapMs);
  console.log(`${acknowledged} are acknowledged; none came for ${gap} ms at most`);
  const read = await withProgress("consuming", () =>
    consumeAll(cluster, { starts, count: acknowledged, signal }),
  );
  await withProgress(`node ${leader} is started again`, async () => {
    await local.broker(leader).start();
    await untilCaughtUp(admin, leader, signal);
  });
  console.log(`node ${leader} is started again, and has caught up`);
  return { acknowledged, ...read };
}

/** Until it has applied everything that is committed now. */
async function untilCaughtUp(admin: Admin, nodeId: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const looks = await lookAtCluster(admin, signal);
    const node = looks.find((look) => look.nodeId === nodeId);
    if (node?.status !== undefined && node.status.leaderNodeId !== 0 && node.lag === 0) return;
    await pause(LOOK_MS, signal);
  }
}

class Publisher {
  readonly #cluster: ClusterOptions;
  readonly #signal: AbortSignal;
  acknowledged = 0;
  longestGapMs = 0;
  #acknowledgedAt = 0;
  #next = 0;

  constructor(cluster: ClusterOptions, signal: AbortSignal) {
    this.#cluster = cluster;
    this.#signal = signal;
  }

  /** @param atHalf - Called once, while the others are published. @returns how many were stored */
  async publishAll(atHalf: () => Promise<void>): Promise<number> {
    await using producer = await Producer.open({
      ...this.#cluster,
      producerGroup: "demonstration",
      timeoutMs: SEND_MS,
      onFull: "wait",
      signal: this.#signal,
    });
    this.#acknowledgedAt = performance.now();
    let killed: Promise<void> | undefined;
    const senders = Array.from({ length: IN_FLIGHT }, async () => {
      while (this.#next < MESSAGE_COUNT && !this.#signal.aborted) {
        const number = this.#next;
        this.#next += 1;
        if (number === MESSAGE_COUNT / 2) killed = atHalf();
        const messageGroup = `group ${number % MESSAGE_GROUPS}`;
        await producer.send(TOPIC, { body: String(number), messageGroup });
        this.#acknowledge();
      }
    });
    await Promise.all(senders);
    await killed;
    return this.acknowledged;
  }

  #acknowledge(): void {
    const now = performance.now();
    this.acknowledged += 1;
    this.longestGapMs = Math.max(this.longestGapMs, now - this.#acknowledgedAt);
    this.#acknowledgedAt = now;
  }
}

async function consumeAll(
  cluster: ClusterOptions,
  wish: {
    readonly starts: readonly number[];
    readonly count: number;
    readonly signal: AbortSignal;
  },
): Promise<Omit<Demonstrated, "acknowledged">> {
  const { starts, count, signal } = wish;
  await using consumer = await PullConsumer.open({ ...cluster, signal });
  const queues = consumer.queuesOf(TOPIC);
  await consumer.assign(queues, { signal });
  await Promise.all(queues.map((queue, i) => consumer.seek(queue, starts[i] ?? 0, { signal })));
  const seen = new Set<number>();
  const last = new Map<string, number>();
  let isInOrder = true;
  let duplicates = 0;
  for (let heardAt = performance.now(); seen.size < count;) {
    const messages = await consumer.poll({ maxMessages: IN_FLIGHT, timeoutMs: 1_000, signal });
    if (messages.length > 0) heardAt = performance.now();
    else if (performance.now() - heardAt > IDLE_MS) break;
    for (const message of messages) {
      const number = Number(message.text());
      const { messageGroup = "" } = message;
      if (seen.has(number)) duplicates += 1;
      seen.add(number);
      isInOrder &&= number > (last.get(messageGroup) ?? -1);
      last.set(messageGroup, number);
    }
  }
  return { consumed: seen.size, duplicates, isInOrder };
}
