/**
 * A topic: published to by some clients, consumed by the members of one group. In the end what is
 * left is consumed.
 */

import { checkQueue } from "../check/queue-check.ts";
import { type HistoryEvent, isDrained } from "../history/history-event.ts";
import { operationsOf } from "../history/operations.ts";
import { makeTopic, openPatiently, openProducer } from "./broker-access.ts";
import { ConsumingClient } from "./consuming-client.ts";
import { GroupLag } from "./group-lag.ts";
import { valueIn } from "./message-body.ts";
import { numberPublisher } from "./publishing-client.ts";
import { verdictOf } from "./verdict.ts";
import type { ClientContext, LogicalClient, Workload, WorkloadVerdict } from "./workload.ts";

const TOPIC = "jepsen-queue";
const GROUP = "jepsen-queue-consumers";
const QUEUES = 4;
const CLIENTS = 30;
/** The others consume. */
const PUBLISHERS = 26;
/** Of some processes: what they publish shares batches. */
const LINGER_MS = 5;

export const QUEUE_WORKLOAD: Workload = {
  name: "queue",
  kind: "broker",
  clientCount: CLIENTS,
  rate: 600,
  prepare: (target) => makeTopic(target, { name: TOPIC, queueCount: QUEUES }),
  open: openClients,
  check: checkQueueEvents,
};

async function openClients(context: ClientContext): Promise<LogicalClient[]> {
  const { target, slots, signal, life } = context;
  const { nameServers } = target;
  const lingerMs = life % 2 === 0 ? 0 : LINGER_MS;
  const producer = await openProducer(context, { lingerMs });
  const lag = await openPatiently(() => GroupLag.open(nameServers, GROUP), signal);
  const clients = slots.map(async (slot): Promise<LogicalClient> => {
    return slot < PUBLISHERS
      ? numberPublisher(context, { producer, topic: TOPIC, slot })
      : consumerOf(context, lag);
  });
  return Promise.all(clients);
}

function consumerOf(context: ClientContext, lag: GroupLag): Promise<ConsumingClient> {
  return ConsumingClient.open(context, {
    topic: TOPIC,
    consumerGroup: GROUP,
    lag,
    toValue: (message) => [valueIn(message), message.queue, message.offset],
  });
}

/** For any that publish to a topic and consume it. */
export function checkQueueEvents(events: readonly HistoryEvent[]): WorkloadVerdict {
  const operations = operationsOf(events);
  const result = checkQueue(operations);
  const { acknowledged, consumed, redelivered, recovered } = result;
  const isOver = isDrained(events);
  // Whatever is left may be consumed yet.
  const anomalies = isOver
    ? result.anomalies
    : result.anomalies.filter(({ kind }) => kind !== "lost");
  const unknown = isOver ? [] : ["what is left was not consumed: nothing is known of losses"];
  const counts = { acknowledged, consumed, redelivered, recovered };
  const needed = ["publish", "consume"];
  return verdictOf({ operations, anomalies, unknown, counts, needed });
}
