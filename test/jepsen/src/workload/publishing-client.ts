/** A client that publishes one message after another, as users do: the producer sends it again. */

import type { OutgoingMessage, Producer } from "@quorumlog/client";
import type { Value } from "../history/history-event.ts";
import { bodyOf } from "./message-body.ts";
import type { Attempt, ClientContext, LogicalClient } from "./workload.ts";

/** What is published, and what is recorded of it. */
export interface DrawnMessage {
  readonly message: OutgoingMessage;
  /** `[...]` in its `ok` goes on with queue and offset. */
  readonly value: Value;
}

export interface PublishingClientInit {
  readonly producer: Producer;
  readonly topic: string;
  readonly slot: number;
  readonly draw: () => DrawnMessage;
}

const TIMEOUT_MS = 3_000;
/** Of some: a producer that is patient sends again what was stored before all nodes were down. */
const PATIENT_TIMEOUT_MS = 15_000;
const PATIENT_EVERY = 3;

export class PublishingClient implements LogicalClient {
  readonly #init: PublishingClientInit;
  readonly #timeoutMs: number;

  constructor(init: PublishingClientInit) {
    this.#init = init;
    this.#timeoutMs = init.slot % PATIENT_EVERY === 0 ? PATIENT_TIMEOUT_MS : TIMEOUT_MS;
  }

  next(): Attempt {
    const { producer, topic, draw } = this.#init;
    const { message, value } = draw();
    return {
      action: "publish",
      value,
      isRead: false,
      run: async () => {
        const sent = await producer.send(topic, message, { timeoutMs: this.#timeoutMs });
        return [value, sent.queue, sent.offset ?? null].flat();
      },
    };
  }

  last(): undefined {
    return undefined;
  }
}

/** One that publishes numbers, each of which is published once. */
export function numberPublisher(
  { unique, prng }: ClientContext,
  init: Omit<PublishingClientInit, "draw">,
): PublishingClient {
  const draw = (): DrawnMessage => {
    const value = unique();
    return { value, message: { body: bodyOf(value, prng) } };
  };
  return new PublishingClient({ ...init, draw });
}
