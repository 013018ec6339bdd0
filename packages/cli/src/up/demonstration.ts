/**
 * Shows what the cluster is for: messages are published while its leader is killed, and every one
 * of them is consumed again, once and in order.
 */

import { Producer, PullConsumer } from "@quorumlog/client";
import { ADMIN_SERVICE } from "@quorumlog/protocol";
import { MessageType } from "@quorumlog/protocol/messages";
import { ClusterAccess } from "../cluster-access.ts";
import type { LocalCluster } from "./local-cluster.ts";

const TOPIC = "demonstration";
const QUEUE_COUNT = 4;
const GROUP_COUNT = 16;
const MESSAGE_COUNT = 20_000;
const WINDOW = 1_000;
const GROUP_ID = 1;
const IDLE_MS = 10_000;
const SEND_MS = 30_000;

export interface Demonstrated {
  readonly acknowledged: number;
  readonly consumed: number;
  readonly isInOrder: boolean;
}

export async function demonstrate(
  cluster: LocalCluster,
  signal: AbortSignal,
): Promise<Demonstrated> {
  const nameServers = [cluster.nameServer];
  await using access = new ClusterAccess(nameServers);
  const request = {
    name: TOPIC,
    queueCount: QUEUE_COUNT,
    messageType: MessageType.MESSAGE_TYPE_FIFO,
    isIdempotent: true,
  };
  await access.askMetadataLeader(ADMIN_SERVICE.createTopic, request, signal);
  const run = String(Date.now());
  const killed = { nodeId: 0 };
  const acknowledged = await publishAll(nameServers, run, async (count) => {
    if (count !== MESSAGE_COUNT / 2) return;
    const { groups } = await access.cluster(signal);
    killed.nodeId = groups.find(({ groupId }) => groupId === GROUP_ID)?.leaderNodeId ?? 0;
    console.log(
      `${count} messages are published; node ${killed.nodeId}, the leader, is killed now`,
    );
    await cluster.broker(killed.nodeId).kill();
  });
  console.log(`${acknowledged} messages were acknowledged`);
  const { consumed, isInOrder } = await consumeAll(nameServers, run, acknowledged);
  if (killed.nodeId !== 0) await cluster.broker(killed.nodeId).start();
  return { acknowledged, consumed, isInOrder };
}

async function publishAll(
  nameServers: readonly string[],
  run: string,
  onStarted: (count: number) => Promise<void>,
): Promise<number> {
  await using producer = await Producer.open({
    nameServers,
    producerGroup: "demonstration",
    timeoutMs: SEND_MS,
    onFull: "wait",
  });
  let acknowledged = 0;
  for (let from = 0; from < MESSAGE_COUNT; from += WINDOW) {
    await onStarted(from);
    const sends = Array.from({ length: WINDOW }, async (_, i) => {
      const number = from + i;
      const body = `${run} ${number}`;
      await producer.send(TOPIC, { body, messageGroup: `group ${number % GROUP_COUNT}` });
      acknowledged += 1;
    });
    await Promise.all(sends);
  }
  return acknowledged;
}

async function consumeAll(
  nameServers: readonly string[],
  run: string,
  count: number,
): Promise<{ readonly consumed: number; readonly isInOrder: boolean }> {
  await using consumer = await PullConsumer.open({ nameServers });
  await consumer.assign(
    Array.from({ length: QUEUE_COUNT }, (_, queue) => ({ topic: TOPIC, queue })),
  );
  const last = new Map<string, number>();
  let isInOrder = true;
  let consumed = 0;
  for (let heardAt = performance.now(); consumed < count;) {
    const messages = await consumer.poll({ maxMessages: WINDOW, timeoutMs: 1_000 });
    if (messages.length > 0) heardAt = performance.now();
    else if (performance.now() - heardAt > IDLE_MS) break;
    for (const { body, messageGroup = "" } of messages) {
      const [ofRun, number] = Buffer.from(body).toString().split(" ");
      if (ofRun !== run) continue;
      isInOrder &&= Number(number) > (last.get(messageGroup) ?? -1);
      last.set(messageGroup, Number(number));
      consumed += 1;
    }
  }
  return { consumed, isInOrder };
}
