/** One call of `send`: one object for all that it takes, as there are many of them. */

import type { EncodedMessage, OperationError } from "@quorumlog/protocol";
import type { OutgoingBatch } from "./outgoing-batch.ts";
import { bodyOf, type OutgoingMessage } from "./outgoing-message.ts";
import { type BatchReceipt, type Durability, SendReceipt } from "./send-receipt.ts";

export class SendCall {
  readonly topic: string;
  readonly message: OutgoingMessage;
  /** Of `sendBatch`: all of them, which share a batch with nobody. */
  readonly others: readonly OutgoingMessage[] | undefined;
  readonly bytes: number;
  readonly durability: Durability;
  /** Milliseconds since 1970, for whoever reads the message. */
  readonly bornTimestamp: number;
  /** By `performance.now()`, as is the deadline: the other clock may be set meanwhile. */
  readonly startedAt: number;
  readonly timeoutMs: number;
  readonly deadline: number;
  readonly resolve: (receipts: never) => void;
  readonly reject: (error: Error) => void;
  isSettled = false;
  /** It has a place in the buffer. */
  isAdmitted = false;
  /** Once it has a queue. */
  batch: OutgoingBatch | undefined = undefined;
  signal: AbortSignal | undefined = undefined;
  onAbort: (() => void) | undefined = undefined;
  /** In the deadline's list. */
  previous: SendCall | undefined = undefined;
  next: SendCall | undefined = undefined;

  constructor(init: SendCallInit) {
    this.topic = init.topic;
    this.message = init.message;
    this.others = init.others;
    this.bytes = init.bytes;
    this.durability = init.durability;
    this.bornTimestamp = Date.now();
    this.startedAt = performance.now();
    this.timeoutMs = init.timeoutMs;
    this.deadline = this.startedAt + init.timeoutMs;
    this.resolve = init.resolve;
    this.reject = init.reject;
  }

  get messageCount(): number {
    return this.others === undefined ? 1 : this.others.length;
  }

  /** As it goes into a batch. */
  encoded(message: OutgoingMessage = this.message): EncodedMessage {
    const { body, tag, keys, messageGroup, properties } = message;
    const { bornTimestamp } = this;
    // What is not set is of no consequence to whoever encodes it.
    return {
      body: bodyOf(body),
      bornTimestamp,
      tag,
      keys,
      messageGroup,
      properties,
    } as EncodedMessage;
  }

  /** @param number - Which one of its batch it is. */
  succeed(batch: BatchReceipt, number: number): void {
    this.#settle();
    const { others } = this;
    if (others === undefined) this.resolve(new SendReceipt(batch, number) as never);
    else this.resolve(others.map((_, i) => new SendReceipt(batch, number + i)) as never);
  }

  fail(error: OperationError): void {
    this.#settle();
    this.reject(error);
  }

  #settle(): void {
    this.isSettled = true;
    if (this.onAbort !== undefined) this.signal?.removeEventListener("abort", this.onAbort);
  }
}

interface SendCallInit {
  readonly topic: string;
  readonly message: OutgoingMessage;
  readonly others: readonly OutgoingMessage[] | undefined;
  readonly bytes: number;
  readonly durability: Durability;
  readonly timeoutMs: number;
  readonly resolve: (receipts: never) => void;
  readonly reject: (error: Error) => void;
}
