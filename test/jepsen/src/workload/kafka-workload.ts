/**
 * Queues by number and offset: clients that send to them, choose which to read and from where, and
 * poll. In the end each queue is read from its beginning to its end.
 */

import { type ConsumedMessage, type Producer, PullConsumer } from "@quorumlog/client";
import { checkKafka } from "../check/kafka-check.ts";
import { type HistoryEvent, isDrained, type Value } from "../history/history-event.ts";
import { operationsOf } from "../history/operations.ts";
import { makeTopic, openPatiently, openProducer } from "./broker-access.ts";
import { bodyOf, valueIn } from "./message-body.ts";
import { verdictOf } from "./verdict.ts";
import type {
  Attempt,
  ClientContext,
  LogicalClient,
  Workload,
  WorkloadVerdict,
} from "./workload.ts";

const TOPIC = "jepsen-kafka";
const QUEUES = 4;
const CLIENTS = 10;
const MIX = { send: 0.5, poll: 0.92, assign: 0.97 };
const SEND_MS = 3_000;
/** Of a poll that finds nothing. */
const POLL_MS = 300;
const MESSAGES_MAX = 100;
/** Of a queue that is read anew: whether that is where others are, or from its beginning. */
const NEAR_CHANCE = 0.9;
/** How far back from there. */
const BACK_MAX = 50;
const CALL_MS = 3_000;

export const KAFKA_WORKLOAD: Workload = {
  name: "kafka",
  kind: "broker",
  clientCount: CLIENTS,
  rate: 500,
  prepare: (target) => makeTopic(target, { name: TOPIC, queueCount: QUEUES }),
  async open(context) {
    const { target, slots, signal } = context;
    const { nameServers } = target;
    const producer = await openProducer(context, { queueSelector: queueOfKey });
    const seen = new Map<number, number>();
    return Promise.all(
      slots.map(async (slot) => {
        const consumer = await openPatiently(() => PullConsumer.open({ nameServers }), signal);
        return new KafkaClient(context, { slot, producer, consumer, seen });
      }),
    );
  },
  check: checkKafkaEvents,
};

interface KafkaClientInit {
  readonly slot: number;
  readonly producer: Producer;
  readonly consumer: PullConsumer;
  /** By queue, the furthest offset that a client of this process has read; all before it, too. */
  readonly seen: Map<number, number>;
}

class KafkaClient implements LogicalClient {
  readonly #context: ClientContext;
  readonly #init: KafkaClientInit;
  #assigned: readonly number[] = [];
  /** Queues that are to be read on where others are, and not from their beginning. */
  readonly #behind: number[] = [];
  /** Of the final read: where its queue ends. */
  #end: number | undefined;
  #hasSought = false;

  constructor(context: ClientContext, init: KafkaClientInit) {
    this.#context = context;
    this.#init = init;
  }

  next(): Attempt {
    const { prng } = this.#context;
    if (this.#assigned.length === 0) return this.#assign(this.#drawQueues());
    const behind = this.#behind.pop();
    if (behind !== undefined && this.#assigned.includes(behind)) return this.#seekNear(behind);
    const draw = prng.fraction();
    if (draw < MIX.send) return this.#send();
    if (draw < MIX.poll) return this.#poll();
    if (draw < MIX.assign) return this.#assign(this.#drawQueues());
    return this.#seekNear(prng.pick(this.#assigned));
  }

  /** Each queue is read by one client: found out where it ends, it begins at 0. */
  async last(): Promise<Attempt | undefined> {
    const { slot, consumer } = this.#init;
    if (slot >= QUEUES) return undefined;
    if (this.#assigned.length !== 1 || this.#assigned[0] !== slot) return this.#assign([slot]);
    const name = { topic: TOPIC, queue: slot };
    if (this.#end === undefined) {
      await consumer.seek(name, "latest");
      this.#end = consumer.position(name);
    }
    if (!this.#hasSought) return this.#seek(slot, 0);
    return consumer.position(name) >= this.#end ? undefined : this.#poll();
  }

  /** Never past what nobody has read: that would be taken for lost. */
  #seekNear(queue: number): Attempt {
    const { prng } = this.#context;
    const seen = this.#init.seen.get(queue) ?? 0;
    return this.#seek(queue, Math.max(0, seen - prng.below(BACK_MAX)));
  }

  #drawQueues(): number[] {
    const { prng } = this.#context;
    const queues = prng.shuffle(Array.from({ length: QUEUES }, (_, queue) => queue));
    return queues.slice(0, prng.between(1, QUEUES + 1));
  }

  #send(): Attempt {
    const { prng } = this.#context;
    const value = this.#context.unique();
    const queue = prng.below(QUEUES);
    const message = { body: bodyOf(value, prng), keys: [String(queue)] };
    return {
      action: "send",
      value: [queue, value],
      isRead: false,
      run: async () => {
        const sent = await this.#init.producer.send(TOPIC, message, { timeoutMs: SEND_MS });
        return [sent.queue, value, sent.offset ?? null];
      },
    };
  }

  #poll(): Attempt {
    return {
      action: "poll",
      value: null,
      isRead: true,
      run: async () => {
        const options = { maxMessages: MESSAGES_MAX, timeoutMs: POLL_MS };
        return this.#byQueue(await this.#init.consumer.poll(options));
      },
    };
  }

  #byQueue(messages: readonly ConsumedMessage[]): Value {
    const queues = new Map<number, Value[]>();
    for (const message of messages) {
      const { queue, offset } = message;
      const polled = queues.get(queue) ?? [];
      polled.push([offset, valueIn(message)]);
      queues.set(queue, polled);
      this.#init.seen.set(queue, Math.max(offset, this.#init.seen.get(queue) ?? 0));
    }
    return [...queues];
  }

  #assign(queues: readonly number[]): Attempt {
    return {
      action: "assign",
      value: queues,
      isRead: true,
      run: async () => {
        const names = queues.map((queue) => ({ topic: TOPIC, queue }));
        await this.#init.consumer.assign(names, { timeoutMs: CALL_MS });
        const added = queues.filter((queue) => !this.#assigned.includes(queue));
        this.#behind.push(...added.filter(() => this.#context.prng.chance(NEAR_CHANCE)));
        this.#assigned = queues;
        return queues;
      },
    };
  }

  #seek(queue: number, offset: number): Attempt {
    return {
      action: "seek",
      value: [queue, offset],
      isRead: true,
      run: async () => {
        await this.#init.consumer.seek({ topic: TOPIC, queue }, offset, { timeoutMs: CALL_MS });
        this.#hasSought = this.#end !== undefined;
        return [queue, offset];
      },
    };
  }
}

/** A message's key is the queue that it is for. */
function queueOfKey({ keys }: { readonly keys?: readonly string[] }): number {
  return Number(keys?.[0] ?? 0);
}

function checkKafkaEvents(events: readonly HistoryEvent[]): WorkloadVerdict {
  const operations = operationsOf(events);
  const isOver = isDrained(events);
  const { anomalies, acknowledged, polled, recovered } = checkKafka(operations, isOver);
  const unknown = isOver ? [] : ["what is left was not read: nothing is known of losses there"];
  const counts = { acknowledged, polled, recovered };
  return verdictOf({ operations, anomalies, unknown, counts, needed: ["send", "poll"] });
}
