/**
 * A FIFO topic: message groups that several clients publish to, consumed by members of one group in
 * order of these keys. In the end what is left is consumed.
 */

import type { Producer } from "@quorumlog/client";
import { checkOrder } from "../check/order-check.ts";
import type { HistoryEvent } from "../history/history-event.ts";
import { operationsOf } from "../history/operations.ts";
import { listOf } from "../history/value-reader.ts";
import { makeTopic, openPatiently, openProducer } from "./broker-access.ts";
import { ConsumingClient } from "./consuming-client.ts";
import { GroupLag } from "./group-lag.ts";
import { bodyOf, valueIn } from "./message-body.ts";
import { PublishingClient } from "./publishing-client.ts";
import { checkQueueEvents } from "./queue-workload.ts";
import type { ClientContext, LogicalClient, Workload, WorkloadVerdict } from "./workload.ts";

const TOPIC = "jepsen-ordered";
const GROUP = "jepsen-ordered-consumers";
const QUEUES = 4;
const MESSAGE_GROUPS = 16;
const CLIENTS = 10;
/** The others consume. */
const PUBLISHERS = 6;

export const ORDERED_WORKLOAD: Workload = {
  name: "ordered",
  kind: "broker",
  clientCount: CLIENTS,
  rate: 500,
  prepare: (target) => makeTopic(target, { name: TOPIC, queueCount: QUEUES, type: "fifo" }),
  open: openClients,
  check: checkOrderEvents,
};

async function openClients(context: ClientContext): Promise<LogicalClient[]> {
  const { target, slots, signal } = context;
  const { nameServers } = target;
  const producer = await openProducer(context);
  const lag = await openPatiently(() => GroupLag.open(nameServers, GROUP), signal);
  const clients = slots.map(async (slot): Promise<LogicalClient> => {
    return slot < PUBLISHERS ? publisherOf(context, producer, slot) : consumerOf(context, lag);
  });
  return Promise.all(clients);
}

function publisherOf(
  { unique, prng }: ClientContext,
  producer: Producer,
  slot: number,
): PublishingClient {
  return new PublishingClient({
    producer,
    topic: TOPIC,
    slot,
    draw: () => {
      const id = unique();
      const messageGroup = `group-${prng.below(MESSAGE_GROUPS)}`;
      return { value: [messageGroup, id], message: { messageGroup, body: bodyOf(id, prng) } };
    },
  });
}

function consumerOf(context: ClientContext, lag: GroupLag): Promise<ConsumingClient> {
  return ConsumingClient.open(context, {
    topic: TOPIC,
    consumerGroup: GROUP,
    // All members of a group have the same.
    order: context.seed % 2 === 0 ? "per-key" : "orderly",
    lag,
    toValue: (message) => {
      const { messageGroup = null, queue, offset } = message;
      return [messageGroup, valueIn(message), queue, offset];
    },
  });
}

/** Also as those of any topic: what was published is consumed, and each place has one message. */
function checkOrderEvents(events: readonly HistoryEvent[]): WorkloadVerdict {
  const operations = operationsOf(events);
  const { anomalies, groups, consumed } = checkOrder(operations);
  const plain = checkQueueEvents(events.map(withoutGroup));
  return {
    valid: anomalies.length > 0 ? false : plain.valid,
    anomalies: [...anomalies, ...plain.anomalies],
    unknown: plain.unknown,
    counts: { ...plain.counts, groups, consumed },
  };
}

/** As the events of the `queue` workload are: a message is told by its id and its place. */
function withoutGroup(event: HistoryEvent): HistoryEvent {
  const { value, action, index } = event;
  if (event.process === "nemesis" || value === null) return event;
  const told = listOf(value, index);
  if (action === "consume")
    return { ...event, value: told.map((message) => listOf(message, index).slice(1)) };
  return { ...event, value: event.type === "ok" ? told.slice(1) : (told[1] ?? null) };
}
